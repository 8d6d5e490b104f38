"""Backup files, and what a restored node must find out."""
