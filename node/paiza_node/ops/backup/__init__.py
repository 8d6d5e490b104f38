"""Backup files, and the checks of a restored node."""
