"""The other members' nodes: channels, sessions, agreement on logs, and the files of the register they serve."""
