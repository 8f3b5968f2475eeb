"""How we ask other people's servers: faults named, budgets kept, the next endpoint asked in time.

Belongs here: what is the same for every provider, be it a node, an exchange or a price service.
Must not be here: what is asked and what an answer means (the rooms that ask), SQL, Dagster, the environment.
"""
