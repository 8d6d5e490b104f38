"""Sending: submission, release, the outbound queues and their results."""
