"""A map of the catalog: items laid out in two dimensions, near where their embeddings are near.

Arrays in ``principal_axes``, ``methods`` and ``quality``; a catalog's items in ``projecting`` and
``item_map``. It must not import ``pages`` or any room above it.
"""
