"""Officers of the own member: invited, certified, confirmed, changed, suspended and removed."""
