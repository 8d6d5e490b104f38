"""The officer's side: a typed asynchronous SDK and the `paiza` command line."""
