"""The gRPC server: who may call what, how requests become verbs, how errors become statuses. gRPC codes stop here."""
