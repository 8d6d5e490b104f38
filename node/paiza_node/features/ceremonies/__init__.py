"""Proposals to change the register: kept while they wait for signatures, and passed on to the other members."""
