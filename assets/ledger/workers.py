"""The ledger of a large population in several processes.

Belongs here: starting processes, taking their rows in, passing on their failures. Must not be here: what a process
does (worker), the tables (store).

The rows come to this process, which writes them in its own transaction: nobody ever sees a half-written ledger. The
processes are started afresh and not forked: a fork of a process with threads, as Dagster's is, can hang.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from threading import Thread

from psycopg.conninfo import make_conninfo

from assets.ledger.slices import TABLES, LedgerSummary, Write
from assets.ledger.worker import ERROR, HEADER, SUMMARY
from assets.warehouse.database import Connection

# Rows that wait to be written: enough that a process can go on while another's are written, 2 MB each.
WAITING_FRAMES = 8

Frame = tuple[int, bytes]


class LedgerWorkerError(RuntimeError):
    """A process of the ledger failed; the message is its own. The caller's transaction is to be rolled back."""


def process_in_parts(conn: Connection, write: Write, parts: int) -> LedgerSummary:
    """Run the ledger of all users of the scope, each in one of several processes.

    Args:
        conn: tells the processes where to connect; they see what is committed.
        write: as in `slices.process_part`; called in this thread alone.
        parts: how many processes.

    Raises:
        LedgerWorkerError: a process failed or ended before it was done.
    """
    summary = LedgerSummary()
    frames: Queue[Frame] = Queue(WAITING_FRAMES)
    tables = list(TABLES)
    with _started(_conninfo(conn), parts, frames):
        unfinished = parts
        while unfinished:
            kind, content = frames.get()
            if kind == ERROR:
                raise LedgerWorkerError(content.decode())
            if kind == SUMMARY:
                summary.add(LedgerSummary.from_json(content))
                unfinished -= 1
            else:
                write(tables[kind], content)
    return summary


@contextmanager
def _started(conninfo: str, parts: int, frames: "Queue[Frame]") -> Iterator[None]:
    """Processes that put what they tell into `frames`; none of them, and no thread, is left behind."""
    processes: list[subprocess.Popen[bytes]] = []
    receivers: list[Thread] = []
    try:
        for number in range(parts):
            process = subprocess.Popen(
                [sys.executable, "-m", "assets.ledger.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            processes.append(process)
            receivers.append(Thread(target=_receive, args=(process, frames), daemon=True))
            receivers[-1].start()
            order = {"database": conninfo, "number": number, "parts": parts}
            assert process.stdin is not None  # noqa: S101 (it is a pipe)
            with suppress(BrokenPipeError), process.stdin:  # one that has ended already is noticed by its receiver
                process.stdin.write(json.dumps(order).encode() + b"\n")
        yield
    finally:
        for process in processes:
            process.kill()  # one that is done does not notice
        while any(receiver.is_alive() for receiver in receivers):
            with suppress(Empty):  # a receiver may wait for room
                frames.get(timeout=0.05)
        for process in processes:
            process.wait()
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            process.stdout.close()


def _receive(process: "subprocess.Popen[bytes]", frames: "Queue[Frame]") -> None:
    stream = process.stdout
    assert stream is not None  # noqa: S101 (it is a pipe)
    kind = None
    while kind not in (SUMMARY, ERROR):
        header = stream.read(HEADER.size)
        kind, length = HEADER.unpack(header) if len(header) == HEADER.size else (ERROR, 0)
        content = stream.read(length)
        if len(header) < HEADER.size or len(content) < length:
            kind, content = ERROR, b"a process of the ledger ended before it was done"
        frames.put((kind, content))


def _conninfo(conn: Connection) -> str:
    return make_conninfo(**conn.info.get_parameters(), password=conn.info.password)
