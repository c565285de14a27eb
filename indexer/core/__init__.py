"""Records, errors, protocols, small maths and durable files: what every room shares."""
