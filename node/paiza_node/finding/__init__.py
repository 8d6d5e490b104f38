"""What stored messages speak of: made searchable, searched, and linked."""
