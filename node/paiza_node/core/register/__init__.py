"""The register in force, and how a newer one comes into force."""
