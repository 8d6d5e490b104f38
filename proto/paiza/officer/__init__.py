"""The services of a node for its own member's officers."""
