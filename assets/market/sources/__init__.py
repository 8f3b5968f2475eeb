"""One file for each provider of prices, all behind `assets.market.model.MarketSource`.

Belongs here: how a provider is asked and how its answer is read. Must not be here: SQL, Dagster, which price counts.
"""
