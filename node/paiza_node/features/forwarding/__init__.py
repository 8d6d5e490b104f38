"""Forwarding, export, release grants, inherited markings and holders of messages."""
