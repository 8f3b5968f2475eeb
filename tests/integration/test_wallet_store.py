"""Landing what chains say: nothing twice, nothing good overwritten, what is gone undone; on a real database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from assets.wallets.known_state import read_known
from assets.wallets.model import Asset, Block, Cell, ChainReport, Component, Kind, Position, Status, TokenFacts
from assets.wallets.planning import Plan, plan
from assets.wallets.store import Landed, land, write_known_instruments
from assets.warehouse.database import Connection, connect

ALICE, BOB = "0x" + "A1" * 20, "0x" + "B0" * 20
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
ETHER, TOKEN = Asset("ethereum", Kind.NATIVE), Asset("ethereum", Kind.ERC20, USDC)
ETHER_ID, TOKEN_ID = "eip155:1/slip44:60", f"eip155:1/erc20:{USDC}"
PAIR_ID = "eip155:1/erc20:0x0d4a11d5EEaaC28EC3F61d100daF4d40471f1852"
AT = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        write_known_instruments(connection)
        connection.execute("insert into registry.users values ('u')")
        connection.execute(
            "insert into registry.portfolios (id, user_id, name, base_currency) values ('p','u','p','USD'),"
            " ('q','u','q','USD')"
        )
        connection.cursor().executemany(
            "insert into registry.portfolio_wallets (user_id, portfolio_id, account_id, wallet_address, chain_id)"
            " values ('u', %s, %s, %s, 'ethereum')",
            [("p", "one", ALICE), ("q", "one", ALICE), ("p", "two", BOB)],
        )
        yield connection


def report(
    number: int,
    cells: Sequence[tuple[str, Asset, Status, int | None]] = (),
    *,
    fork: str = "",
    positions: Sequence[Position] = (),
    **more: Any,
) -> ChainReport:
    block = Block(number, f"0x{fork}{number:04x}", AT + timedelta(hours=number))
    listed = tuple(Cell(*cell, None if cell[3] is not None else "reverted") for cell in cells)
    given = {"block": block, "endpoint": "node", "tries": (), "asked_at": block.timestamp, "seconds": 0.1} | more
    return ChainReport(chain="ethereum", cells=listed, positions=tuple(positions), **given)


def landed(conn: Connection, given: ChainReport) -> Landed:
    asked = plan(read_known(conn))
    return land(
        conn, f"run-{given.asked_at}-{given.block and given.block.hash}", AT + timedelta(days=9), asked, [given]
    )


def states(conn: Connection) -> dict[tuple[str, str], tuple[str, Any]]:
    rows = conn.execute("select wallet, instrument_id, status, raw_amount from ops.wallet_cells").fetchall()
    return {("A" if wallet == ALICE else "B", name): (status, amount) for wallet, name, status, amount in rows}


def count(conn: Connection, table: str) -> int:
    row = conn.execute(f"select count(*) from raw.{table}".encode()).fetchone()
    assert row
    return int(row[0])


FIRST = [
    (ALICE, ETHER, Status.OK, 10**18),
    (ALICE, TOKEN, Status.OK, 2**256 - 1),
    (BOB, ETHER, Status.ZERO, 0),
    (BOB, TOKEN, Status.ZERO, 0),
]
FACTS = (TokenFacts(TOKEN, 6, "USD\0C", "USD Coin"),)


def test_a_wallet_of_two_portfolios_is_asked_once(conn: Connection) -> None:
    [request] = plan(read_known(conn)).requests
    assert request.positions_of == (ALICE, BOB)
    assert len(set(request.cells)) == len(request.cells)


def test_the_same_read_twice_adds_no_balance(conn: Connection) -> None:
    assert landed(conn, report(1, FIRST, facts=FACTS)).balances == 3  # a token that nobody holds leaves no row
    assert landed(conn, report(2, FIRST)) == Landed(1, 1, 0, 0)
    assert states(conn) == {
        ("A", ETHER_ID): ("ok", 10**18), ("A", TOKEN_ID): ("ok", 2**256 - 1), ("B", ETHER_ID): ("zero", 0),
    }  # fmt: skip
    assert conn.execute("select decimals, symbol from raw.token_facts").fetchall() == [(6, "USDC")]
    assert conn.execute(
        "select turn, cells_ok, cells_zero, block_number, counts_at from raw.chain_reads order by read_id"
    ).fetchall() == [(n, 2, 2, n, AT + timedelta(hours=n)) for n in (1, 2)]
    known = read_known(conn)
    assert known.turns == {"ethereum": 2}
    assert known.blocks["ethereum"].number == 2
    assert known.facts == frozenset({TOKEN_ID})


def test_what_a_chain_tells_unasked_is_kept_and_asked_for_from_then_on(conn: Connection) -> None:
    found = (Cell(ALICE, TOKEN, Status.OK, 7),)
    assert landed(conn, report(1, FIRST[:1], facts=FACTS, found=found)).balances == 2
    assert states(conn)["A", TOKEN_ID] == ("ok", 7)
    assert (ALICE, TOKEN_ID) in read_known(conn).held["ethereum"]


def test_what_fails_keeps_the_good_amount_and_is_written_once(conn: Connection) -> None:
    landed(conn, report(1, FIRST, facts=FACTS))
    bad = [(ALICE, ETHER, Status.FAILED, None), (ALICE, TOKEN, Status.QUARANTINED, None), *FIRST[2:]]
    assert landed(conn, report(2, bad)).balances == 2
    assert landed(conn, report(3, bad)).balances == 0
    assert states(conn)["A", ETHER_ID] == ("failed", 10**18)
    assert states(conn)["A", TOKEN_ID] == ("quarantined", 2**256 - 1)
    assert (ALICE, TOKEN_ID) in read_known(conn).held["ethereum"]  # so that it is asked again
    assert landed(conn, report(4, FIRST)).balances == 2
    assert states(conn)["A", ETHER_ID] == ("ok", 10**18)


def test_a_dead_chain_leaves_its_read_alone(conn: Connection) -> None:
    landed(conn, report(1, FIRST))
    dead = [(wallet, asset, Status.FAILED, None) for wallet, asset, *_ in FIRST]
    lost = report(2, dead, failure="timeout: no answer in time", endpoint=None)
    assert landed(conn, lost) == Landed(1, 0, 0, 0)
    assert landed(conn, report(3, dead, block=None, failure="timeout", asked_at=AT)).balances == 0
    assert states(conn)["A", ETHER_ID] == ("ok", 10**18)
    known = read_known(conn)
    assert (known.turns, known.blocks["ethereum"].number) == ({"ethereum": 1}, 1)


def test_a_reorganised_block_is_undone_before_the_new_read_counts(conn: Connection) -> None:
    landed(conn, report(1, FIRST, facts=FACTS))
    # at a block that will be gone: ether doubled, the token left, Bob got some
    landed(conn, report(2, [(ALICE, ETHER, Status.OK, 2 * 10**18), (ALICE, TOKEN, Status.ZERO, 0),
                            (BOB, ETHER, Status.OK, 5)]))  # fmt: skip
    again = [(ALICE, ETHER, Status.OK, 2 * 10**18), (ALICE, TOKEN, Status.FAILED, None), (BOB, ETHER, Status.ZERO, 0)]
    landed(conn, report(2, again, fork="f", is_reorganised=True))
    # the token falls back to what stood before, Bob's coin too; the doubled ether is written anew, at its new block
    assert states(conn) == {
        ("A", ETHER_ID): ("ok", 2 * 10**18), ("A", TOKEN_ID): ("ok", 2**256 - 1), ("B", ETHER_ID): ("zero", 0),
    } | {("A", TOKEN_ID): ("failed", 2**256 - 1)}  # fmt: skip
    standing = conn.execute(
        "select instrument_id, raw_amount, block_hash from raw.wallet_balances inner join raw.chain_reads using (read_id)"
        " where superseded_by is null and wallet = %s and raw_amount is not null order by balance_id", [ALICE]
    ).fetchall()  # fmt: skip
    assert standing[-1] == (ETHER_ID, 2 * 10**18, "0xf0002")
    assert conn.execute("select block_hash from raw.chain_reads where superseded_by is not null").fetchall() == [
        ("0x0002",)
    ]
    assert read_known(conn).blocks["ethereum"].hash == "0xf0002"


def position(units: int, ether: int, **more: Any) -> Position:
    given = {"asset_type": "lp_token", "protocol": "uniswap-v2", "category": "liquidity"} | more
    components = (Component(ETHER, ether, 18), Component(TOKEN, 3 * 10**6, 6))
    return Position(ALICE, PAIR_ID, units=units, decimals=18, components=components, **given)


def test_positions_are_cells_with_components_and_end_when_they_are_gone(conn: Connection) -> None:
    # the pair is a token too: it counts once, as a position
    pair = Asset("ethereum", Kind.ERC20, PAIR_ID.partition("erc20:")[2])
    cells = [*FIRST, (ALICE, pair, Status.OK, 7)]
    first = landed(conn, report(1, cells, positions=[position(2 * 10**18, 10**18)]))
    assert (first.balances, first.positions) == (4, 2)
    assert states(conn)["A", PAIR_ID] == ("ok", 2 * 10**18)
    components = "select component_id, per_unit from raw.wallet_positions order by read_id desc, 1 desc limit 2"
    assert conn.execute(components).fetchall() == [(ETHER_ID, Decimal("0.5")), (TOKEN_ID, Decimal("1.5"))]
    assert landed(conn, report(2, FIRST, positions=[position(2 * 10**18, 10**18)])) == Landed(1, 1, 0, 0)
    # one component differs: the set is written anew
    assert landed(conn, report(3, FIRST, positions=[position(2 * 10**18, 2 * 10**18)])).positions == 2
    assert (ALICE, PAIR_ID) not in read_known(conn).held["ethereum"]
    landed(conn, report(4, FIRST, problems=("uniswap-v2: timeout",)))
    assert states(conn)["A", PAIR_ID] == ("failed", 2 * 10**18)
    unread = replace(position(0, 0), components=(), reason="not answered")
    landed(conn, report(5, FIRST, positions=[unread, replace(unread, wallet=BOB)]))
    assert states(conn)["A", PAIR_ID] == ("failed", 2 * 10**18)
    assert ("B", PAIR_ID) not in states(conn)  # nobody knows that Bob ever had one
    landed(conn, report(6, FIRST))
    assert states(conn)["A", PAIR_ID] == ("zero", 0)


def test_what_is_borrowed_is_negative_and_priced_by_what_is_owed(conn: Connection) -> None:
    owed = Position(ALICE, PAIR_ID, "borrowed", "aave-v3", "lending", 4 * 10**6, 6, (Component(TOKEN, -4 * 10**6, 6),))
    landed(conn, report(1, FIRST, positions=[owed]))
    assert states(conn)["A", PAIR_ID] == ("ok", -4 * 10**6)
    assert conn.execute("select per_unit from raw.wallet_positions").fetchall() == [(Decimal(1),)]


def test_a_failed_landing_leaves_nothing(conn: Connection) -> None:
    conn.commit()
    landed(conn, report(1, FIRST))
    conn.rollback()
    assert (count(conn, "chain_reads"), count(conn, "wallet_balances")) == (0, 0)
    assert landed(conn, report(1, FIRST)).balances == 3


def test_no_report_is_no_landing(conn: Connection) -> None:
    assert land(conn, "run", AT, Plan((), {}, {}), []) == Landed(0, 0, 0, 0)
