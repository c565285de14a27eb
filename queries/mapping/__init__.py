"""Maps the labels of one taxonomy to those of another.

``words`` makes names comparable, ``trees`` knows both trees, ``lexical`` finds candidates by their
texts, ``votes`` by the items that the labels hold, ``evidence`` compares pairs, ``mapper`` decides
from the roots down, and ``measures`` compares a mapping with a published one.

It must not import `categorizing` or any room above it.
"""
