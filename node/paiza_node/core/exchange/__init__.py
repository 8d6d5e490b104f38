"""The exchange of messages between members, and how capabilities take part in it."""
