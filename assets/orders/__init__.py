"""Orders made of suggestions: as a file, and sent to an Alpaca paper account, each at most once."""
