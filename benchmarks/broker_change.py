"""From a change in a broker's account to marts.portfolio_assets: `python -m benchmarks.broker_change [CHANGES]`.

Belongs here: `holdfast up` in a temporary home, a local peer that speaks Alpaca's documented requests, and the clock.
Must not be here: what a reading means (tests/unit/accounts). Each change is a fill at a moment of its own within the
sensor's interval; what of the time is waiting for the sensor, for the run's process and for its work, Dagster's own
records tell.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assets.warehouse.database import Connection, connect
from benchmarks._command import machine, temporary_home
from tests.account_server import KEY, SECRET, AccountServer, account_server

_SHOWN = "select balance from marts.portfolio_assets where portfolio_id = 'p' and instrument_id = 'equity:AAPL'"
_RUNS = """
select run_id, extract(epoch from create_timestamp at time zone 'UTC')::float8, start_time, end_time, status
from dagster.runs where end_time > %s or end_time is null order by id
"""


def main(changes: int) -> None:
    """Start everything, change the account, print the times, stop everything."""
    print(machine())
    with temporary_home() as home, account_server() as broker:
        environment = _environment(home, broker, _inputs(home.parent / "inputs"))
        _trade(broker, 1)
        begun = time.time()
        holdfast = str(Path(sys.executable).with_name("holdfast"))
        subprocess.run([holdfast, "run"], env=environment, check=True, capture_output=True)
        print(f"first run: {time.time() - begun:.1f} s")
        url = subprocess.run(
            [holdfast, "db", "url"], env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()
        with _up(holdfast, environment, home.parent / "up.log"), connect(url, autocommit=True) as conn:
            _wait(lambda: _is_settled(conn), 180, "the first runs of the daemon")
            taken = [_change(conn, broker, number) for number in range(2, changes + 2)]
    print(
        f"{len(taken)} changes: {min(taken):.1f} to {max(taken):.1f} s, mean {sum(taken) / len(taken):.1f} s (aim 30 s)"
    )


def _change(conn: Connection, broker: AccountServer, number: int) -> float:
    """One fill, and the seconds until it is published."""
    time.sleep(random.Random(number).uniform(0, 15))
    changed_at = time.time()
    _trade(broker, number)
    _wait(lambda: conn.execute(_SHOWN).fetchone() == (number,), 180, f"balance {number}", every=0.1)
    seconds, worked = time.time() - changed_at, _processor_seconds(conn)
    _wait(lambda: _is_settled(conn), 120, "the end of the run")
    (created, started, ended), *_ = [row[1:4] for row in conn.execute(_RUNS, [changed_at])]
    print(
        f"change {number - 1}: shown after {seconds:.1f} s: sensor {created - changed_at:.1f}, process"
        f" {started - created:.1f}, run until shown {changed_at + seconds - started:.1f}, run {ended - started:.1f};"
        f" {worked:.1f} s of processor time; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return seconds


def _processor_seconds(conn: Connection) -> float:
    """What the newest run's process has worked so far; the machine may have other things to do."""
    row = conn.execute(
        "select value from dagster.run_tags where key = 'holdfast/process' order by id desc limit 1"
    ).fetchone()
    if row is None:
        return 0.0
    stat = Path("/proc", row[0].rpartition(":")[2], "stat")  # the tag is machine:process
    fields = stat.read_text().rpartition(")")[2].split() if stat.exists() else ["0"] * 13
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _trade(broker: AccountServer, number: int) -> None:
    """One share more."""
    at = datetime.now(UTC) - timedelta(seconds=5)
    stamp = f"{at:%Y%m%d%H%M%S}000"
    broker.alpaca_activities.append(
        {
            "id": f"{stamp}::{number:08d}", "activity_type": "FILL", "transaction_time": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
            "type": "fill", "price": "100", "qty": "1", "side": "buy", "symbol": "AAPL", "leaves_qty": "0",
            "order_id": f"o{number}", "cum_qty": "1",
        }
    )  # fmt: skip
    broker.alpaca_positions = [{"symbol": "AAPL", "asset_class": "us_equity", "qty": str(number)}]
    broker.alpaca_cash = str(100_000 - 100 * number)


def _inputs(folder: Path) -> Path:
    (folder / "transactions").mkdir(parents=True)
    (folder / "prices").mkdir()
    day = (datetime.now(UTC) - timedelta(days=30)).date()
    (folder / "portfolios.yaml").write_text(
        "version: 1\nbase_currency: USD\nportfolios:\n"
        "  - {id: p, user_id: u, name: p, accounts:"
        " [{id: broker, kind: broker, broker: alpaca, credentials_env: ALPACA}]}\n"
    )
    (folder / "transactions" / "ledger.csv").write_text(
        "portfolio,account,executed_at,type,instrument,quantity,external_id\n"
        f"p,broker,{day},DEPOSIT,fiat:USD,100000,d1\n"
    )
    days = [(datetime.now(UTC) - timedelta(days=back)).date() for back in range(30, -1, -1)]
    (folder / "prices" / "prices.csv").write_text(
        "instrument,priced_at,price,currency\n" + "".join(f"equity:AAPL,{one},100,USD\n" for one in days)
    )
    return folder


def _environment(home: Path, broker: AccountServer, inputs: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    return kept | {
        "HOLDFAST_HOME": str(home), "HOLDFAST_INPUTS": str(inputs), "HOLDFAST_SOURCES": "alpaca",
        "HOLDFAST_ENDPOINT_ALPACA": broker.url, "ALPACA_KEY": KEY, "ALPACA_SECRET": SECRET, "DO_NOT_TRACK": "1",
    }  # fmt: skip


@contextmanager
def _up(holdfast: str, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`holdfast up` with all its processes, ended as Ctrl-C ends it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out, subprocess.Popen(
        [holdfast, "up", "--port", str(port)], env=environment, stdout=out, stderr=out, start_new_session=True
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _is_settled(conn: Connection) -> bool:
    """A run of the daemon's has been, and none is going on or waiting."""
    row = conn.execute(
        "select count(*), count(*) filter (where status not in ('SUCCESS', 'FAILURE', 'CANCELED')) from dagster.runs"
    ).fetchone()
    return row is not None and row[0] > 1 and row[1] == 0


def _wait(is_so: Callable[[], Any], seconds: float, what: str, every: float = 0.5) -> None:
    until = time.time() + seconds
    while not is_so():
        if time.time() > until:
            raise SystemExit(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
