"""The gRPC servers: authentication, calls, status codes, health, metrics."""
