"""Evidence files: what became of one message, as anybody with the bootstrap root can verify it. Pure."""
