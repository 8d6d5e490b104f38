"""What the operator uses: commands, the admin service, diagnosis, verification, backup."""
