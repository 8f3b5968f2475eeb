"""Accounts at exchanges and brokers: what they hold and what happened in them, asked of them directly."""
