"""The commands of `paiza-trust`: parse, call, print."""
