"""The directory of the own member: liaison officers and duty roster, published by a data officer."""
