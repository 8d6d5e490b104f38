"""Attachments, transferred separately from their message: uploaded, downloaded, served, acknowledged."""
