"""Transparency logs: Merkle trees, tiles, checkpoints, notes, cosignatures and proofs."""
