"""The register in force, and its updates."""
