"""HTML pages: self-contained files, every text escaped, light and dark, wide and narrow."""
