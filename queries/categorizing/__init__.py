"""Labels the whole catalog and writes the table of categories.

Archive shards stream through `scoring` and `deciding`; the answer equals a search of the labels.
It must not import `evaluation` or `explanation`, which read what it wrote.
"""
