"""The services of a node for its operator."""
