"""What a node serves to its own member's officers."""
