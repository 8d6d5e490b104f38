"""The namespace of the protocol: what travels between nodes, in versions."""
