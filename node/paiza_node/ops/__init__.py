"""Operation of the node: commands, the admin service, diagnosis, verification, backup."""
