"""The ledger with its database: `python -m benchmarks.ledger [transactions] ...`, by default 250,000.

Belongs here: running the store over made-up inputs (_ledger_inputs) in a temporary server, seconds, memory, growth. Not
here: the rest of a run (population).

For each size, smallest first: seconds of the store for a first build, the same again, and one late transaction of one
portfolio; beside it, in the same run, a bare COPY of the rows that it wrote into empty tables without an index.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from assets.ledger.slices import TABLES, LedgerSummary
from assets.ledger.store import run_ledger
from assets.warehouse.database import Connection, connect
from assets.warehouse.migrate import migrate
from benchmarks._command import machine, peak_memory, temporary_home
from benchmarks._ledger_inputs import TRANSACTIONS_EACH, load
from orchestration.embedded_postgres import ensure_running

_LATE = """
insert into intermediate.int_all_transactions
select (select max(sequence) + 1 from intermediate.int_all_transactions), 'late', portfolio_id, account_id,
    executed_at + interval '1 hour', false, executed_date, 'FEE', currency, 1, null, null, null, null, null, null, null,
    null, null, 1
from intermediate.int_all_transactions where portfolio_id = 'p7' and currency is not null order by sequence limit 1
"""


@dataclass
class Run:
    """One call of the store: what it did, its seconds, the peak of this process and of its workers in MiB."""

    summary: LedgerSummary
    seconds: float
    peak: float


def run(url: str) -> Run:
    """The store in a process of its own, so that its peak is its own."""
    command = [sys.executable, "-m", "benchmarks.ledger", "--store"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        peaks: dict[int, float] = {}
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(0.1):
                for pid in (process.pid, *_children(process.pid)):
                    peaks[pid] = max(peaks.get(pid, 0.0), peak_memory(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = process.communicate(url)
        is_over.set()
        watcher.join()
    if process.returncode:
        raise SystemExit("the store failed")
    told = json.loads(output)
    return Run(LedgerSummary.from_json(told["summary"].encode()), told["seconds"], sum(peaks.values()))


def _store() -> None:
    url = sys.stdin.read()
    with connect(url) as conn:
        begun = time.perf_counter()
        summary = run_ledger(conn)
        conn.commit()
        seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "summary": summary.to_json().decode()}))


def bare_copy(conn: Connection, folder: Path) -> float:
    """Seconds to COPY the results, from text on this side, into new tables without an index; they are dropped again."""
    seconds = 0.0
    for table in TABLES:
        path = folder / table
        with path.open("wb") as file, conn.cursor().copy(f"copy intermediate.ledger_{table} to stdout") as copy:
            file.writelines(copy)
        conn.execute(f"create unlogged table bare_{table} (like intermediate.ledger_{table} including defaults)")
        begun = time.perf_counter()
        with path.open("rb") as file, conn.cursor().copy(f"copy bare_{table} from stdin") as copy:
            while part := file.read(1 << 20):
                copy.write(part)
        conn.commit()
        seconds += time.perf_counter() - begun
        conn.execute(f"drop table bare_{table}")
        path.unlink()
    return seconds


def measure(transactions: int) -> float:
    """Print the figures of one size; returns the seconds of the first build."""
    with temporary_home() as home, tempfile.TemporaryDirectory() as folder:
        url = ensure_running(home).url
        with connect(url) as conn:
            migrate(conn)
            load(conn, transactions, random.Random(1))
        print(f"{transactions:,} transactions of {transactions // TRANSACTIONS_EACH:,} portfolios")
        first = run(url)
        rows = sum(first.summary.rows.values())
        assert first.summary.transactions == transactions, first.summary
        with connect(url) as conn:
            bare = bare_copy(conn, Path(folder))
        _say("first build", first)
        print(f"    {rows:,} rows, {rows / first.seconds:,.0f} rows/s; {first.summary}")
        print(
            f"    bare COPY of the same rows: {bare:.1f} s; the ledger takes {first.seconds / bare:.1f} times as long"
        )
        _say("everything again", run(url))
        with connect(url) as conn:
            conn.execute("update ops.run_scope set runs_ledger = portfolio_id = 'p7', from_date = '2024-12-31'")
            conn.execute(_LATE)
        _say("one late row", run(url))
        return first.seconds


def _say(what: str, run: Run) -> None:
    seconds, count = run.seconds, run.summary.transactions
    print(f"  {what}: {seconds:.1f} s, {count / seconds:,.0f} transactions/s, peak {run.peak:,.0f} MiB", flush=True)


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


def main(sizes: list[int]) -> None:
    """Print each size and how the seconds grow from one to the next."""
    before: tuple[int, float] | None = None
    for size in sorted(sizes):
        print(machine())
        seconds = measure(size)
        if before:
            print(
                f"growth from {before[0]:,}: {size / before[0]:.1f} times the rows, {seconds / before[1]:.1f} the time"
            )
        before = size, seconds


if __name__ == "__main__":
    if sys.argv[1:] == ["--store"]:
        _store()
    else:
        main([int(size) for size in sys.argv[1:]] or [250_000])
