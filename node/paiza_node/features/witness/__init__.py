"""Cosigning of other members' logs, cosignatures of the own log, misbehaviour of logs."""
