"""Second officers: messages that wait for further signatures."""
