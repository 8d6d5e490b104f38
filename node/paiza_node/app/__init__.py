"""Start of the node: wiring of every capability, start and standby."""
