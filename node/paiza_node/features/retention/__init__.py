"""Erasure, legal holds, review dates and log retention."""
