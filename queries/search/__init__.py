"""Finds items: by the vector of a query, by its words, or by both.

It must not import `classify`, its sibling.
"""
