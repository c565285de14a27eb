"""Chooses the settings of item search by measured recall and time.

Recall is measured against exact search over the archive. It must not import `teaching`, its
sibling, nor `pages`, `service` or `commands`.
"""
