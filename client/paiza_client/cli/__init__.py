"""The `paiza` command line: one module per group of commands; `frame` is what surrounds them all."""
