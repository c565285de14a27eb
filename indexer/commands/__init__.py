"""The commands of the write path; parsing and printing, no logic."""
