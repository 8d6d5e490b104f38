"""Officers of the own member, need-to-know, and opening messages for them."""
