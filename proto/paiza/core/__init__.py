"""What several roles share: messages, the log, its proofs, the register."""
