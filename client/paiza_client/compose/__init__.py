"""From a validated draft to a sealed and signed message."""
