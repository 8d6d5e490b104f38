"""The admin service on the operator's socket."""
