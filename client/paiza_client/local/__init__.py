"""Data on the officer's machine: profiles, the outbox, the verified register and its reference data."""
