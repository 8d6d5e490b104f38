"""What the three programs share: exit codes, languages, commands that are loaded on demand, safe output."""
