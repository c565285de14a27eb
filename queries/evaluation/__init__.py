"""Labels against a truth: measures, outcomes an item, reports, comparisons."""
