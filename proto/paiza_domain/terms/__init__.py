"""What a message is about, as terms that can be compared and searched."""
