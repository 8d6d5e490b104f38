"""Threads of messages: markings, answers to requests, deadlines, notices."""
