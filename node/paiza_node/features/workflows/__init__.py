"""Steps of workflows: legality, state, deadlines, backfill and deconfliction."""
