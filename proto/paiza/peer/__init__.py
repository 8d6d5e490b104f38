"""What a node serves to the nodes of other members."""
