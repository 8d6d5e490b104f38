"""Re-reading and re-hashing everything that is stored."""
