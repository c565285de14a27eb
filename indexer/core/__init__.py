"""What every room shares: records, errors, reasons, protocols, small maths, durable files.

It imports no other room. Its protocols say what rooms need of each other, so that adapters match
by shape and not by base class.
"""
