"""Look-alikes: items with the same content, near-duplicate pictures, variants of a product.

Arrays in ``leaders`` and ``lists``; a catalog's items in ``finding``.
"""
