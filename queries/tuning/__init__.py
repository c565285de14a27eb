"""Chooses search settings by measured recall and time."""
