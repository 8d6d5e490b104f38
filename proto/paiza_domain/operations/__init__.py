"""Joint operations and their figures."""
