"""Search: the index of keyed tokens, queries and links."""
