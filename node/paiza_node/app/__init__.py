"""Start of the node: configuration, keys, wiring of every capability, start and standby."""
