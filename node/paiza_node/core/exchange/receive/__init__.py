"""Receiving: validating, storing and answering messages that peers deliver."""
