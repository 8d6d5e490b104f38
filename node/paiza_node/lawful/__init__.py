"""Lawfulness: who read what and why, found in the log, and who looked there."""
