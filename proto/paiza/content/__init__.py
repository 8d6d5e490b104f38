"""The content of messages, by kind; each kind has its own version."""
