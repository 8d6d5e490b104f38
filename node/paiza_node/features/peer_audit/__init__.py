"""What entitled members see of this log, queries to other logs, and reconciliation."""
