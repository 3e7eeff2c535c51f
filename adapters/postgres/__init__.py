"""The record: the log in Postgres, its fenced writer, its readers, and the audit of its chain."""
