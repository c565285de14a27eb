"""Why an input got its label: prompts, nearest labelled items, heat maps over the picture.

It explains what `deciding` decided and decides nothing. It must not import `evaluation`, its
sibling, nor `pages` or `commands`.
"""
