"""Checks of this machine and of the peers, one result for each."""
