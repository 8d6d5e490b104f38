"""Audit between members: the visibility of this log to others, queries to other logs, and reconciliation."""
