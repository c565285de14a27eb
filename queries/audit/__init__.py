"""Wrong labels in what is there: typed labels that pictures and titles contradict."""
