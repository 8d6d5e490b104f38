"""The people of one member: second officers, desks, and who needs to know."""
