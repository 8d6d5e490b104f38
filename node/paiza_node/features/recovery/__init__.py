"""The way back after this node lost part of its log."""
