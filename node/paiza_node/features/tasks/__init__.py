"""Tasks: received messages assigned to units and officers, with escalation."""
