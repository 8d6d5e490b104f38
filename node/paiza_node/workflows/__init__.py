"""Threads whose messages are steps: what may be released next, where they stand, what falls due, what goes first."""
