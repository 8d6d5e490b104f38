"""Oversight: what entitled people and members see of this log, and reconciliation between two logs."""
