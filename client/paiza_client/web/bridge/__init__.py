"""`paiza bridge`: a case system of the officer's own hands in drafts and fetches messages and receipts.

HTTP on this machine alone. It never signs: drafts wait for the officer in `paiza web`, or for `paiza send`.
"""
