"""The core of the node: the exchange of messages, and what it is built on."""
