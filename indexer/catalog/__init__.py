"""What lies in a data folder: archive, ledger, generations, decisions, and opening it."""
