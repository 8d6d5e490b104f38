"""Workflows: legality of steps, state, deadlines, backfill and deconfliction."""
