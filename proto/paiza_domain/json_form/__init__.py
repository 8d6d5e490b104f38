"""Messages as JSON for other programs, and the JSON Schema of every kind, generated from the kinds alone."""
