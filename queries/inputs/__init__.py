"""What is classified or searched for: named by a user, read, and made vectors.

``query`` reads what the user names, ``embedding`` makes vectors of it, ``stored`` takes those of a
catalog's items, and ``embedded`` is what both give.
"""
