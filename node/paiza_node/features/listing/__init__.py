"""Messages as lists show them: what became of each, looked up once a page."""
