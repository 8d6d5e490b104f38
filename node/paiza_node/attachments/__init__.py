"""Files that travel apart from their message: brought by officers, fetched from peers, handed out, answered for."""
