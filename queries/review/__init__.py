"""What people said of labels, and what they are asked next."""
