"""The capabilities of a node, one folder each, over the exchange in `core`."""
