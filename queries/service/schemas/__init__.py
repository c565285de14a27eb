"""What goes over the wire, one module a resource; unknown keys are refused."""
