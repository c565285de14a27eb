"""What people decided about labels, and which item they should look at next.

It must not import `categorizing` or any room above it.
"""
