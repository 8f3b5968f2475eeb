"""One process of several that run the ledger: `python -m assets.ledger.worker`, started by workers.

Belongs here: what the process reads on standard input and tells on standard output. Must not be here: Dagster, the
writing of results. It imports the engine and the database driver alone, which takes a quarter of a second.

Standard input is one line of JSON: the connection string (it holds the password, so it is no argument) and the part
of the users. Standard output is frames: one byte that says what it is, the length, the bytes.
"""

import json
import struct
import sys
from typing import BinaryIO

from assets.ledger.reading import Part
from assets.ledger.slices import TABLES, process_part
from assets.warehouse.database import connect, safe_error

HEADER = struct.Struct("!BQ")
SUMMARY, ERROR = 254, 255
TABLE_NUMBERS = {table: number for number, table in enumerate(TABLES)}

# The planner cannot know how many users a part has, takes it for few and would fetch each transaction by itself.
# Helpers of the server would take the cores from the engine.
_PLANS = "set enable_nestloop = off; set max_parallel_workers_per_gather = 0"


def send(stream: BinaryIO, kind: int, content: bytes) -> None:
    """Write one frame; `kind` is a table's number, SUMMARY or ERROR."""
    stream.write(HEADER.pack(kind, len(content)))
    stream.write(content)
    stream.flush()


def main() -> None:
    """Process the part and tell its rows, then its summary; or why it could not."""
    order = json.loads(sys.stdin.readline())
    stream = sys.stdout.buffer
    sys.stdout = sys.stderr  # a stray print must not get between the frames
    try:
        with connect(order["database"], application_name="holdfast ledger worker") as conn:
            conn.execute(_PLANS)
            part = Part(order["number"], order["parts"])
            summary = process_part(conn, lambda table, text: send(stream, TABLE_NUMBERS[table], text), part)
        send(stream, SUMMARY, summary.to_json())
    except BrokenPipeError:
        raise SystemExit(1) from None  # whoever asked has gone
    except Exception as error:
        send(stream, ERROR, safe_error(error).encode())
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
