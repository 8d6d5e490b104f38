"""What messages hold, kind by kind; a kind versions apart from the protocol."""
