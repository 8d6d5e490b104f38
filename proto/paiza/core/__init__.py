"""Definitions shared by several roles: messages, the log, its proofs, the register."""
