"""The marts do not depend on how the same facts are spread over files, in which order, or how often they are imported."""

from __future__ import annotations

import random
from pathlib import Path

from tests.pipeline_runs import PRICE_HEADER, TRANSACTION_HEADER, daily_prices, marts, portfolio, run, write_inputs

ACCOUNTS = [{"id": "main", "kind": "manual"}, {"id": "side", "kind": "manual"}]
PORTFOLIOS = [
    portfolio("first", base_currency="EUR", accounts=ACCOUNTS, benchmark="equity:ONE"),
    portfolio("second", cash="implicit", cost_basis="HIFO", lot_scope="portfolio", accounts=ACCOUNTS),
    portfolio("third", user_id="somebody", cash="implicit", cost_basis="ACB", allow_short=True, accounts=ACCOUNTS),
]
# every row has an instant of its own, so that its place in a file says nothing
TRANSACTIONS = [
    "first,main,2024-01-01T08:00:00Z,DEPOSIT,fiat:EUR,5000,,,,,,,,e1",
    "first,main,2024-01-01T08:30:00Z,DEPOSIT,fiat:USD,2000,,,,,,,,e0",
    "first,main,2024-01-01T09:00:00Z,BUY,equity:ONE,10,101,,USD,2,EUR,1,,e2",
    "first,side,2024-01-02T09:00:00Z,DEPOSIT,crypto:ETH,2,1500,,USD,,,,,e3",
    "first,side,2024-01-02T10:00:00Z,SWAP_OUT,crypto:ETH,0.5,,,,0.01,crypto:ETH,,s1,e4",
    "first,side,2024-01-02T10:00:01Z,SWAP_IN,crypto:BTC,0.02,,,,,,,s1,e5",
    "first,side,2024-01-03T10:00:00Z,TRANSFER_OUT,crypto:ETH,1,,,,0.001,crypto:ETH,,t1,e6",
    "second,main,2024-01-03T10:30:00Z,TRANSFER_IN,crypto:ETH,0.999,,,,,,,t1,e7",
    "first,main,2024-01-04T09:00:00Z,DIVIDEND,equity:ONE,8,,,USD,,,2,,e8",
    "first,main,2024-01-05T00:00:00Z,SPLIT,equity:ONE,2,,,,,,,,e9",
    "first,main,2024-01-06T09:00:00Z,SELL,equity:ONE,5,55,,USD,1,USD,,,e10",
    "second,side,2024-01-02T11:00:00Z,BUY,crypto:ETH,1,2000,,USD,,,,,e11",
    "second,main,2024-01-04T11:00:00Z,BUY,crypto:ETH,1,2100,,USD,5,EUR,,,e12",
    "second,main,2024-01-05T11:00:00Z,STAKING_REWARD,crypto:ETH,0.1,,,,,,,,e13",
    "second,main,2024-01-06T11:00:00Z,SELL,crypto:ETH,1.5,2300,,USD,,,,,e14",
    "second,main,2024-01-07T11:00:00Z,FEE,crypto:ETH,0.05,,,,,,,,e15",
    "third,main,2024-01-02T12:00:00Z,SELL,equity:ONE,3,102,,USD,,,,,e16",
    "third,main,2024-01-04T12:00:00Z,BUY,equity:ONE,5,99,,USD,,,,,e17",
    "third,side,2024-01-05T12:00:00Z,AIRDROP,crypto:NEW,7,,,,,,,,e18",
    "third,side,2024-01-08T12:00:00Z,WITHDRAWAL,crypto:NEW,2,,,,,,,,e19",
]
PRICES = [
    *daily_prices("equity:ONE", [100, 102, 101, 99, 50, 55, 54, 56, 57, 58]),
    *daily_prices("crypto:ETH", [2000, 2050, 2100, 2000, 2200, 2300, 2250, 2300, 2400, 2500]),
    *daily_prices("crypto:BTC", [40000] * 5 + [41000] * 5),
    *daily_prices("fiat:EUR", ["1.10", "1.11", "1.09", "1.10", "1.12", "1.10", "1.08", "1.09", "1.10", "1.11"]),
    "crypto:NEW,2024-01-07,3,USD",
]


def test_files_order_and_repetition_do_not_matter(database_url: str, module_database_url: str, tmp_path: Path) -> None:
    plain = write_inputs(tmp_path / "plain", PORTFOLIOS, TRANSACTIONS, PRICES)
    assert run(plain, database_url, tmp_path / "home").summary["held_portfolios"] == []

    dealer = random.Random(7)
    transactions, prices = dealer.sample(TRANSACTIONS, len(TRANSACTIONS)), dealer.sample(PRICES, len(PRICES))
    mixed = write_inputs(tmp_path / "mixed", PORTFOLIOS[::-1])
    for number in range(3):
        for folder, header, lines in (
            ("transactions", TRANSACTION_HEADER, transactions), ("prices", PRICE_HEADER, prices),
        ):  # fmt: skip
            text = "\n".join([header, *lines[number::3], *lines[:2]]) + "\n"  # two rows stand in every file
            (mixed / folder / f"{9 - number}.csv").write_text(text)
    outcome = run(mixed, module_database_url, tmp_path / "other-home")
    assert outcome.summary["held_portfolios"] == [], outcome.messages

    one, other = marts(database_url), marts(module_database_url)
    assert len(one["transactions"]) == len(TRANSACTIONS)
    assert {name for name in one if one[name] != other[name]} == set()
