"""Version 1: the .proto files and the stubs generated from them."""
