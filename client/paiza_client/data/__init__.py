"""Messages as tables: imports, exports and statistics."""
