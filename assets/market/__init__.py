"""Market data: what something is worth, as several sources say it.

Belongs here: sources behind one protocol, candle pages, symbols, what was fetched and what was not. Must not be here:
which of several prices counts (dbt), what is held (ledger), SQL outside needs.py, store.py, jobs.py and landing.py.
"""
