"""What the commands of the write path do, one module a command."""
