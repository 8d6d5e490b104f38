"""Threads that verify and decrypt, kept apart by purpose."""
