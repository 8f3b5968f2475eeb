"""Prices that stand on a chain: from a real node through the engine's calls into the market's bars."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from assets.market.symbols import feeds
from assets.warehouse.database import connect
from orchestration.resources import Market
from orchestration.settings import Settings, find_project_root
from tests.evm_contracts import feed
from tests.evm_nodes import EvmNodes
from tests.market_holdings import hold


def test_feeds_are_read_at_one_block_of_the_chain(database_url: str, tmp_path: Path) -> None:
    updated = int(datetime.now(UTC).timestamp()) - 60
    known = feeds()
    with EvmNodes() as nodes, connect(database_url, autocommit=True) as conn:
        node = nodes.start(1)
        node.set_code(known["crypto:ETH"].address, feed("ETH / USD", 8, 2_345_67000000, updated))
        # another contract stands where the list says that Bitcoin's feed is
        node.set_code(known["crypto:BTC"].address, feed("BTC / EUR", 8, 1, updated))
        node.mine()
        hold(conn, "crypto:ETH", "crypto:BTC", "crypto:LINK")
        settings = Settings(
            home=tmp_path, project_root=find_project_root(), database_url=database_url, sources=("chainlink",),
            rpc_endpoints={"ethereum": (node.url,)}, is_rpc_public=False,
        )  # fmt: skip
        refreshed = Market(settings).bring_up_to_date("run", horizon=None, is_present=True, holds_pipeline=False)

        assert refreshed.latest.prices == 1
        prices = "select instrument_id, close, currency, priced_at, status from raw.bars where source = 'chainlink'"
        at = datetime.fromtimestamp(updated, UTC)
        assert conn.execute(prices).fetchall() == [
            ("crypto:ETH", Decimal("2345.67"), "fiat:USD", at, "accepted")
        ]  # fmt: skip
        told = conn.execute("select instrument_id, failure_kind from ops.fetch_log where outcome = 'failed'").fetchall()
        assert set(told) == {("crypto:BTC", "permanent"), ("crypto:LINK", "permanent")}
