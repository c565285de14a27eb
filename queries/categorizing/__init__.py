"""Decides the whole catalog and writes the table of categories."""
