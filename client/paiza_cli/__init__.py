"""Shared parts of the three programs: exit codes, errors, languages, commands loaded on demand, safe output."""
