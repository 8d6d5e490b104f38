"""The index of keyed tokens, search and links."""
