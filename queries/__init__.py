"""The read path: classify, categorize, search."""
