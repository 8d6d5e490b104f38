"""`paiza-node issuer`: the process that holds the CAs of the member."""
