"""What a node serves to its operator."""
