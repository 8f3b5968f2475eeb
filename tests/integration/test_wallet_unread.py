"""A chain that takes more time than it has: complete after some reads, and nothing said of what was not read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assets.network.endpoints import endpoints_of
from assets.wallets import block_reader, engine
from assets.wallets.known_state import read_known
from assets.wallets.model import ChainReport
from assets.wallets.planning import plan
from assets.wallets.reference import multicall3_addresses
from assets.wallets.store import land, write_known_instruments
from assets.warehouse.database import connect
from tests.evm_contracts import token
from tests.evm_nodes import EvmNodes
from tests.fault_proxy import FaultProxy

#: No list has a token of it.
SLUG = "thai-chain"
WALLETS = [f"0x{number:040d}" for number in range(1, 41)]
#: Behind all others in the order of addresses; an aggregate3 takes 500 of its 40 × 60 balances.
TOKENS = ["0x" + f"{number:02d}" * 20 for number in range(40, 99)]
LAST = TOKENS[-1]
LAST_ID = f"eip155:7/erc20:{LAST}"
ANSWERED = 3


def test_what_was_not_read_is_read_first_the_next_time(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_reader, "QUESTIONS_AT_ONCE", 1)  # so that it is certain which ones are answered
    with EvmNodes() as nodes, FaultProxy() as proxy, connect(database_url) as conn:
        node = nodes.start(7, multicall3=multicall3_addresses(SLUG)[0])
        code = "0x" + token(decimals=6).hex()
        node.batch([("anvil_setCode", (address, code)) for address in TOKENS])
        node.set_token_balances({(address, wallet): 5 for address in TOKENS for wallet in WALLETS})
        node.mine()
        write_known_instruments(conn)
        conn.execute("insert into registry.users values ('u')")
        conn.execute("insert into registry.portfolios (id, user_id, name, base_currency) values ('p', 'u', 'p', 'USD')")
        conn.cursor().executemany(
            "insert into registry.portfolio_wallets (user_id, portfolio_id, account_id, wallet_address, chain_id)"
            " values ('u', 'p', %s, %s, 'thai-chain')",
            [(wallet[-2:], wallet) for wallet in WALLETS],
        )
        conn.cursor().executemany(
            "insert into registry.instruments (instrument, name) values (%s, 'made')",
            [(f"eip155:7/erc20:{address}",) for address in TOKENS],
        )
        route = proxy.route(node.url)
        answered_until = 0

        def hang_later(number: int, calls: Any) -> None:
            del calls
            route.fault = "hang" if number > answered_until else None

        route.before = hang_later

        def read() -> ChainReport:
            nonlocal answered_until
            answered_until = route.requests + 1 + ANSWERED  # the block, and some of the balances
            asked = plan(read_known(conn))
            [report] = engine.read(asked.requests, {SLUG: endpoints_of([route.url])}, chain_seconds=1.0)
            land(conn, f"run-{route.requests}", datetime.now(UTC) + timedelta(days=1), asked, [report])
            return report

        def unread() -> int:
            return one("select count(*) from ops.wallet_unread")

        def one(query: str) -> Any:
            row = conn.execute(query.encode()).fetchone()
            return row and row[0]

        first = read()
        assert first.failure is None
        waiting = [unread()]
        assert waiting[0] == sum(cell.amount is None and cell.status == "failed" for cell in first.cells) > 500
        assert one("select cells_failed from raw.chain_reads order by read_id desc limit 1") == waiting[0]
        # nothing is known of the last token: no amount, above all no zero
        states = f"select count(*) from raw.wallet_balances where instrument_id = '{LAST_ID}'"
        assert one(f"{states} and raw_amount is not null") == 0
        assert one(f"{states} and status = 'failed'") == len(WALLETS)

        reads = 1
        while one(f"{states} and raw_amount = 5") < len(WALLETS) and reads < 5:
            read()
            reads += 1
            waiting.append(unread())
        assert reads <= 3, waiting
        # each balance was read once at least, and has its decimals
        assert one("select count(distinct (wallet, instrument_id)) from raw.wallet_balances where raw_amount = 5") == (
            len(WALLETS) * len(TOKENS)
        )
        assert one(f"select decimals from raw.token_facts where instrument_id = '{LAST_ID}'") == 6

        answered_until = 10**6
        route.before = None
        route.fault = None
        asked = plan(read_known(conn))
        [whole] = engine.read(asked.requests, {SLUG: endpoints_of([route.url])})
        land(conn, "run-last", datetime.now(UTC) + timedelta(days=1), asked, [whole])
        assert unread() == 0
        assert one("select cells_failed from raw.chain_reads order by read_id desc limit 1") == 0
        held = "select count(*) from ops.wallet_cells where raw_amount = 5 and status = 'ok'"
        assert one(held) == len(WALLETS) * len(TOKENS)
