"""Labelled items in, figures out: measures, breakdowns, reports, comparisons of two runs.

It measures what `categorizing` wrote and decides nothing. It must not import `explanation`, its
sibling, nor `teaching`, `pages` or `commands`.
"""
