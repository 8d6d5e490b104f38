"""The node's own log: the one commit path, proofs, the time index, the checkpoint file."""
