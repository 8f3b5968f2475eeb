"""The command `holdfast` with a stopwatch on its parts: `python -m benchmarks._timed SPANS.json run --inputs ...`.

Belongs here: which calls count as what. Each kind is a list of (begin, end) on the clock, written as JSON at the end;
_command makes shares of them. Nothing is imported early for it: importing is one of the things it measures.

- imports: the outermost import statements that found their module not loaded yet;
- sql: the driver waiting for PostgreSQL (ours, psycopg 3), and statements of dbt's models and tests;
- ours: reading and landing inputs, the ledger, measures, optimisation, gates, publication (less their SQL);
- dbt parse: the project's manifest read or made; server: the embedded server found or started;
- the rest: process start and end, Dagster's events and their storage, dbt around its statements, Great Expectations.
"""

import atexit
import builtins
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KINDS = ("imports", "sql", "ours", "dbt parse", "server")
#: kind -> (module, attribute path) of what is timed as soon as the module is there
TIMED = {
    "sql": [
        ("psycopg", "Connection.wait"),
        ("dbt.adapters.sql.connections", "SQLConnectionManager.add_query"),
    ],
    "ours": [
        ("assets.registry.assets", "read_inputs"),
        ("assets.registry.assets", "land"),
        ("assets.ledger.assets", "run_ledger"),
        ("assets.performance.assets", "run_performance"),
        ("assets.risk.assets", "run_risk"),
        ("assets.allocation.assets", "run_optimisation"),
        ("assets.publication.assets", "publish"),
        ("quality.checks", "evaluate"),
        ("orchestration.resources", "prepare_database"),
    ],
    "dbt parse": [("assets.warehouse.dbt", "_parse")],
    "server": [("orchestration.command_line", "database_url")],
}

spans: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
_waiting = [(kind, module, path) for kind, places in TIMED.items() for module, path in places]
_depth = threading.local()
_import = builtins.__import__


def _timed(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **keywords: Any) -> Any:
        begin = time.time()
        try:
            return function(*args, **keywords)
        finally:
            spans[kind].append((begin, time.time()))

    return call


def _import_timed(name: str, *args: Any, **keywords: Any) -> Any:
    if name in sys.modules or getattr(_depth, "is_inside", False):
        return _import(name, *args, **keywords)
    _depth.is_inside = True
    begin = time.time()
    try:
        return _import(name, *args, **keywords)
    finally:
        spans["imports"].append((begin, time.time()))
        _depth.is_inside = False
        _wrap_what_is_there()


def _wrap_what_is_there() -> None:
    for kind, module, path in [*_waiting]:
        owner: Any = sys.modules.get(module)
        if owner is None:
            continue
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent, None)
        if hasattr(owner, name):
            setattr(owner, name, _timed(kind, getattr(owner, name)))
            _waiting.remove((kind, module, path))


def main() -> None:
    """Run the command with the rest of the arguments."""
    target = Path(sys.argv[1])
    sys.argv = ["holdfast", *sys.argv[2:]]
    atexit.register(lambda: target.write_text(json.dumps(spans)))
    builtins.__import__ = _import_timed
    from orchestration.command_line import main as command

    _wrap_what_is_there()
    command()


if __name__ == "__main__":
    main()
