"""Kills and damages real catalogs, and looks whether anything was lost, doubled or changed."""
