"""Deputies of officers: appointed for a time by the officer or their head; every appointment and end is logged."""
