"""The client of the register as a client of TUF's conformance suite: `make conformance SUITE=folder`."""
