"""The label set: prompts to vectors, its files, and how it is fitted to a catalog."""
