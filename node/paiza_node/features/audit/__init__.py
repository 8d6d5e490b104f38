"""Audit of the node's own log: trails, evidence, log queries and their index."""
