"""Forms: what a page asks of a kind, as plain data without markup, and the way from its answers to a draft and back."""
