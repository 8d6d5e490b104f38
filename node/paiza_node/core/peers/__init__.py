"""The other members' nodes: channels, sessions, comparison of logs, and the register files they serve."""
