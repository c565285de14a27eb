"""Makes the `pocket` model: a small CLIP that learns from drawn products."""
