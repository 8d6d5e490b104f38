"""Meaning: message kinds, vocabularies, validation, workflows and handling. Pure."""
