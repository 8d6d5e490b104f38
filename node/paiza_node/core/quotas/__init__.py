"""Daily quotas: how many messages and log entries one caller may cause in a day."""
