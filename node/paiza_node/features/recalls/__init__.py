"""Recalls and corrections of messages."""
