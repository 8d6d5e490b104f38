"""Receiving: validation, storing and answering of what peers deliver."""
