"""Drafts: messages as officers write them."""
