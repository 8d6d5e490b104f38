"""The bytes that travel between members, and the checks on them: no I/O, no clock, no configuration."""
