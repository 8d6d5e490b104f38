"""Files that travel apart from their message: uploaded, downloaded, served, acknowledged."""
