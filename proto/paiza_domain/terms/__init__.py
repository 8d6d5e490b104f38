"""Search terms: the identifiers, names and codes of a message in a comparable form."""
