"""Received messages as work of units and officers, with escalation."""
