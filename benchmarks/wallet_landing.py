"""How fast what chains say of wallets gets into PostgreSQL, beside a bare COPY of the same rows.

Run by hand: `python -m benchmarks.wallet_landing [BALANCES]`, on an embedded server of its own in a temporary home.
Made rows: 20 tokens of every wallet on one chain. First read, the same again, then one balance in a hundred differs.
"""

import random
import sys
import time
from datetime import UTC, datetime, timedelta

from assets.wallets.known_state import read_known
from assets.wallets.model import Asset, Block, Cell, ChainReport, Kind, Status
from assets.wallets.planning import plan
from assets.wallets.store import Landed, land, write_known_instruments
from assets.warehouse.database import Connection, connect, copy_rows
from assets.warehouse.migrate import migrate
from benchmarks._command import temporary_home
from orchestration.embedded_postgres import ensure_running

TOKENS = 20
AT = datetime(2024, 1, 1, tzinfo=UTC)


def read(number: int, amounts: dict[tuple[str, Asset], int]) -> ChainReport:
    """A chain that gave all of them at one block."""
    block = Block(number, f"0x{number:064x}", AT + timedelta(hours=number))
    cells = tuple(Cell(wallet, asset, Status.OK, amount) for (wallet, asset), amount in amounts.items())
    return ChainReport("ethereum", block, "made", (), block.timestamp, 1.0, cells)


def timed(connection: Connection, number: int, amounts: dict[tuple[str, Asset], int]) -> tuple[Landed, float, float]:
    """Land one read; what it wrote, seconds and CPU seconds of this process."""
    report = read(number, amounts)
    start, cpu = time.perf_counter(), time.process_time()
    with connection.transaction():
        landed = land(connection, f"run-{number}", AT + timedelta(days=1000), plan(read_known(connection)), [report])
    return landed, time.perf_counter() - start, time.process_time() - cpu


def main(balances: int, url: str) -> None:
    """Print seconds and rows a second."""
    rng = random.Random(1)
    tokens = [Asset("ethereum", Kind.ERC20, f"0x{number:040x}") for number in range(1, TOKENS + 1)]
    wallets = [f"0x{rng.getrandbits(160):040x}" for _ in range(balances // TOKENS)]
    amounts = {(wallet, token): rng.getrandbits(80) + 1 for wallet in wallets for token in tokens}
    with connect(url, autocommit=True) as connection:
        migrate(connection)
        with connection.transaction():
            write_known_instruments(connection)
        connection.execute("create temporary table bare (like raw.wallet_balances including identity)")
        start = time.perf_counter()
        with connection.transaction():
            rows = ((1, "ethereum", wallet, token.address, "ok", amount) for (wallet, token), amount in amounts.items())
            copy_rows(
                connection,
                "pg_temp.bare",
                ("read_id", "chain", "wallet", "instrument_id", "status", "raw_amount"),
                rows,
            )
        bare = time.perf_counter() - start
        print(f"bare COPY of {len(amounts):,} rows: {bare:.2f} s, {len(amounts) / bare:,.0f} rows/s")
        for name, number in (("first read", 1), ("the same again", 2), ("1 of 100 differs", 3)):
            if number == 3:
                amounts |= {key: amount + 1 for key, amount in list(amounts.items())[::100]}
            landed, seconds, cpu = timed(connection, number, amounts)
            print(
                f"{name}: {landed.balances:,} rows written, {seconds:.2f} s, {len(amounts) / seconds:,.0f} balances/s, "
                f"{1e6 * cpu / len(amounts):.1f} µs of CPU a balance"
            )


if __name__ == "__main__":
    with temporary_home() as home:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, ensure_running(home).url)
