"""Erasure, legal holds, review dates and the end of log retention."""
