"""Who is who: reads the register into one typed view and archives every verified set. No gRPC."""
