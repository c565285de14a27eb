"""HTML pages for people: self-contained files, every text escaped, light and dark, wide and narrow.

A page is made of results that others computed. It must not import `commands` or `service`.
"""
