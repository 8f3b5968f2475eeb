"""How long a large file of transactions takes from disk into PostgreSQL.

Run by hand: `python -m benchmarks.landing [ROWS]`, on an embedded server of its own in a temporary home.
"""

import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from assets.registry.landing import land, read_inputs
from assets.warehouse.database import connect
from assets.warehouse.migrate import migrate
from benchmarks._command import temporary_home
from orchestration.embedded_postgres import ensure_running

HEADER = "portfolio,account,executed_at,type,instrument,quantity,price,currency,fee,fee_currency,external_id,note\n"
PORTFOLIOS = 1000


def write_folder(folder: Path, rows: int, rng: random.Random) -> None:
    """1,000 portfolios, 500 instruments; every second row has an external_id, every thousandth a quoted note."""
    lines = ["version: 1", "portfolios:"]
    for number in range(PORTFOLIOS):
        account = "accounts: [{id: main, kind: manual}]"
        lines.append(f"- {{id: p{number}, user_id: u{number // 3}, cash: implicit, {account}}}")
    (folder / "portfolios.yaml").write_text("\n".join(lines))
    (folder / "transactions").mkdir()
    with (folder / "transactions" / "large.csv").open("w") as file:
        file.write(HEADER)
        for number in range(rows):
            day = f"20{10 + number % 15}-{1 + number % 12:02d}-{1 + number % 28:02d}"
            moment = f"{day}T{number % 24:02d}:{number % 60:02d}:{number * 7 % 60:02d}Z"
            trade = f"{'BUY' if number % 3 else 'SELL'},equity:S{rng.randrange(500)}"
            numbers = f"{rng.random() * 100 + 1e-8:.8f},{rng.random() * 1000:.4f},USD,0.5,USD"
            external_id = f"e{number}" if number % 2 else ""
            note = "" if number % 1000 else '"hello, there"'
            file.write(f"p{number % PORTFOLIOS},main,{moment},{trade},{numbers},{external_id},{note}\n")


def main(rows: int, url: str) -> None:
    """Print seconds of reading (with validation) and of landing."""
    with tempfile.TemporaryDirectory() as name, connect(url) as connection:
        folder = Path(name)
        write_folder(folder, rows, random.Random(1))
        migrate(connection)
        start = time.perf_counter()
        inputs = read_inputs(folder, datetime.now(UTC))
        read = time.perf_counter()
        with connection.transaction():
            result = land(connection, inputs, "benchmark")
        landed = time.perf_counter()
        with connection.transaction():
            again = land(connection, inputs, "benchmark")
        end = time.perf_counter()
    print(f"rows {result.counts['transactions'].rows}, again {again.counts['transactions'].rows}")
    print(f"read and validate {read - start:.1f} s, land {landed - read:.1f} s, land again {end - landed:.2f} s")


if __name__ == "__main__":
    with temporary_home() as home:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, ensure_running(home).url)
