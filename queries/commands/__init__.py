"""The commands of the read path; parsing and printing, no logic."""
