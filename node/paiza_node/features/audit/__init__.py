"""What the node's own log says: trails, evidence, log queries and their index."""
