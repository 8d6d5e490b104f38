"""The exchange of messages between members, and its extension points for capabilities."""
