"""Federation ceremonies: creating and changing the register."""
