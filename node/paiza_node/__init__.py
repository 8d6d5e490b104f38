"""The node: accepts, delivers, receives and accounts for the messages of one member."""
