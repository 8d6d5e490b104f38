"""Enrolment: officers and the node get certificates from the member's issuer."""
