"""Messages in lists: the states of a page of messages, read together."""
