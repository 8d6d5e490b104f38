"""Recovery of a node that lost part of its log."""
