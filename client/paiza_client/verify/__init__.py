"""Checks on what a node says: bytes and a verified register in, proven records out. Pure."""
