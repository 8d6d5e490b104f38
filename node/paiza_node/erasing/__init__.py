"""Erasing: requests to erase, review dates, legal hold, and the end of audit retention."""
