"""What the three programs share: exit codes, errors, languages, commands loaded on demand, safe output."""
