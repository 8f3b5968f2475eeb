"""The sale of The DAO as a population: `python -m benchmarks.the_dao`.

Belongs here: an inputs folder out of the real purchases of data/, one run of `holdfast run` over it, seconds by stage,
and whether what was published adds up to the control totals of the data.

What a purchase becomes, for its token owner, who is one user with one portfolio:
- a DEPOSIT of the ether that it takes, and a BUY of the tokens for ether, at the block's time; the data do not tell how
  the ether came to be there;
- gas is part of the deposit and the fee of the purchase where the owner sent the transaction; where someone else did,
  it is not the owner's;
- a purchase with an error (10, "Out of gas") was undone by the chain: no ether and no tokens moved, its gas was spent,
  so it is a DEPOSIT and a FEE of the gas;
- one wei gave no token (2): a DEPOSIT and a WITHDRAWAL, with the gas as its fee;
- where a contract paid with ether of its own (18) the data have 0 ether and tokens below zero, which cannot be: what
  was paid is not known, and nothing is written.

Ether has the daily prices of the demo's data. The token had no market yet and gets no price: it is held at its cost,
has no value, and every portfolio says so (`missing_price`).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path

from assets.warehouse.database import Connection, connect
from benchmarks._command import machine, run_holdfast, stage_seconds, temporary_home
from orchestration.embedded_postgres import ensure_running

DATA = Path(__file__).parent / "data" / "thedao_2016_purchases.csv.gz"
DEMO_PRICES = Path(__file__).parents[1] / "examples" / "demo" / "inputs" / "prices" / "crypto.csv"
AS_OF = "2016-05-31"
ETHER = "eip155:1/slip44:60"
TOKEN = "eip155:1/erc20:0xBB9bc244D798123fDe783fCc1C72d3Bb8C189413"
WEI = Decimal(10) ** 18
# sum of eth_amount over all rows, by the README of the data
CONTROL_TOTAL = Decimal("1562820.212349353073765298")

HEADER = "portfolio,account,executed_at,type,instrument,quantity,amount,currency,fee,fee_currency,external_id"
INSTRUMENTS = f"""instrument,name,asset_type,quote_currency,chain,address,decimals,canonical_instrument
{ETHER},Ether on Ethereum,,USD,ethereum,,18,crypto:ETH
{TOKEN},The DAO,token,USD,ethereum,{TOKEN.rpartition(":")[2]},16,
"""


@dataclass
class Totals:
    """Sums over the data, in ether and tokens."""

    listed: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    failed: Decimal = Decimal(0)
    gas: Decimal = Decimal(0)
    withdrawn: Decimal = Decimal(0)
    tokens: Decimal = Decimal(0)
    purchases: int = 0
    failures: int = 0
    unknown: int = 0
    owners: set[str] = field(default_factory=set)


def write_inputs(folder: Path) -> Totals:
    """Write portfolios, instruments, prices of ether and transactions; returns what they must add up to."""
    for name in ("prices", "transactions"):
        (folder / name).mkdir(parents=True)
    totals = Totals()
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file, localcontext(prec=50):
        rows = [row for purchase in csv.DictReader(file) for row in _rows(purchase, totals)]
    (folder / "transactions" / "sale.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "instruments.csv").write_text(INSTRUMENTS)
    with DEMO_PRICES.open(encoding="utf-8") as file:
        prices = [line for line in file if line.startswith(("instrument", "crypto:ETH,2016-0"))]
    (folder / "prices" / "ether.csv").write_text("".join(prices))
    lines = ["version: 1", "base_currency: USD", "portfolios:"]
    for owner in sorted(totals.owners):
        account = f"{{id: wallet, kind: wallet, address: '{owner}', chains: [ethereum]}}"
        lines.append(f"- {{id: '{owner}', user_id: '{owner}', accounts: [{account}]}}")
    (folder / "portfolios.yaml").write_text("\n".join(lines) + "\n")
    return totals


def _rows(purchase: dict[str, str], totals: Totals) -> Iterator[str]:
    owner, at = purchase["token_owner"], datetime.fromtimestamp(int(purchase["timestamp_unix"]), UTC)
    start = f"{owner},wallet,{at:%Y-%m-%dT%H:%M:%SZ}"
    ether, tokens = Decimal(purchase["eth_amount"]), Decimal(purchase["dao_tokens"])
    gas = Decimal(purchase["gas_used"]) * Decimal(purchase["gas_price_wei"]) / WEI
    if purchase["created_by"] != "Owner":
        gas = Decimal(0)
    name = purchase["tx_hash"]
    totals.owners.add(owner)
    totals.listed += ether
    if tokens < 0:
        totals.unknown += 1
        return
    totals.gas += gas
    fee = f"{gas:f},{ETHER}" if gas else ","
    if purchase["error"]:
        totals.failures += 1
        totals.failed += ether
        yield f"{start},DEPOSIT,{ETHER},{gas:f},,,,,{name}-in"
        yield f"{start},FEE,{ETHER},{gas:f},,,,,{name}"
        return
    totals.purchases += 1
    totals.paid += ether
    totals.tokens += tokens
    yield f"{start},DEPOSIT,{ETHER},{ether + gas:f},,,,,{name}-in"
    if tokens:
        yield f"{start},BUY,{TOKEN},{tokens:f},{ether:f},{ETHER},{fee},{name}"
    else:
        totals.withdrawn += ether
        yield f"{start},WITHDRAWAL,{ETHER},{ether:f},,,{fee},{name}"


def compare(conn: Connection, totals: Totals) -> None:
    """Print published sums beside those of the data.

    Raises:
        SystemExit: they differ, or the data are not the data.
    """
    came = "select sum(quantity) from marts.transactions where type = 'DEPOSIT' and instrument_id = %s"
    given = "select sum(quantity) from marts.realized_gains where instrument_id = %s"
    held = "select sum(quantity) from marts.open_lots where instrument_id = %s"
    sums = [
        ("ETH in the data", totals.listed, CONTROL_TOTAL),
        ("ETH that came in, without gas", _sum(conn, came, ETHER) - totals.gas, totals.listed - totals.failed),
        ("ETH given for tokens and gas", _sum(conn, given, ETHER), totals.paid + totals.gas - totals.withdrawn),
        ("ETH left", _sum(conn, held, ETHER), Decimal(0)),
        ("tokens held", _sum(conn, held, TOKEN), totals.tokens),
    ]
    for what, found, expected in sums:
        print(f"  {what}: {found:,f}, expected {expected:,f}")
        if found != expected:
            raise SystemExit(f"{what}: not what the data say")


def _sum(conn: Connection, query: str, instrument: str) -> Decimal:
    row = conn.execute(query, [instrument]).fetchone()
    return Decimal(row[0] or 0) if row else Decimal(0)


def main() -> None:
    """Print seconds by stage, rows a second, totals and peak memory."""
    print(machine())
    with temporary_home() as home:
        inputs = home.parent / "inputs"
        totals = write_inputs(inputs)
        print(
            f"{len(totals.owners):,} token owners, {totals.purchases:,} purchases for {totals.paid:,f} ETH, "
            f"{totals.failures} failed ones of {totals.failed:,f} ETH that moved nothing but gas, "
            f"{totals.unknown} of unknown size"
        )
        run = run_holdfast(home, inputs, AS_OF)
        for stage, seconds, text in stage_seconds(run):
            print(f"  {seconds:7.1f} s  {stage:<13} {text}")
        with connect(ensure_running(home).url) as conn:
            compare(conn, totals)
        changed, seconds = run.summary["changed_rows"], run.seconds
        print(
            f"{run.summary['status']}: {seconds:.1f} s, {changed:,} rows published, {changed / seconds:,.0f} a second"
        )
        print(f"peak memory: process {run.process_peak:,.0f} MiB, server {run.server_peak:,.0f} MiB")


if __name__ == "__main__":
    main()
