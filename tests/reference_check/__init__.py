"""Reference data against each other and against the numbers of PubChem; `make reference-check`."""
