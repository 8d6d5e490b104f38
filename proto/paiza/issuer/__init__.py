"""The services of an issuer for the node of its member."""
