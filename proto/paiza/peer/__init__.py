"""The services of a node for the nodes of other members."""
