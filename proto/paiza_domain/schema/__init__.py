"""The shape of contents: fields, types, limits, and how values are checked, read and compared."""
