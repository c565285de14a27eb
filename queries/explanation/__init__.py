"""Why an input got its label: prompts, neighbours, heat maps."""
