"""Work on the whole database: its tables, copies of it, and a new log that continues a copy."""
