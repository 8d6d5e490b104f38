"""The agent: a process of the officer that holds the opened keys of one profile for a while, so that nobody types.

`start` makes it, `process` is it, `client` asks it, `wire` is what they say to each other over a Unix socket.

What it protects, and what not: the signing key never leaves the process; it signs nothing but DSSE encodings, so no
certificate, signing request or handshake. The authentication key is handed to programs of the same user, because gRPC
needs its bytes. Passphrase and PIN stay in its memory too: renewed keys are sealed with the one, and a card may want
the other at every signature. A program that runs as the same user can have signatures made while the agent holds the
keys; with the signing key on a token it can do so no longer once the agent has ended.
"""
