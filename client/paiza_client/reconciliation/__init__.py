"""Queries and comparison of members' logs. Pure, apart from the queries."""
