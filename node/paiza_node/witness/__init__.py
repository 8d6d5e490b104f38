"""Witnesses: what this node cosigns of others, what others cosign of it, and who was convicted."""
