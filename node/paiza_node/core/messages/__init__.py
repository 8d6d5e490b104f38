"""Stored messages, their threads and markings, and their decryption."""
