"""Daily quotas: how many messages, bytes and log entries one caller may cause in a day."""
