"""dbt inside this process: parse once, then run selections of the one project against a database.

Belongs here: how dbt is called and what it answered. Not here: which models exist (dbt_project/) and when they run
(orchestration/). A subprocess per operation would cost about 4 s of imports and parsing each; this costs them once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
MANIFEST = PROJECT / "target" / "manifest.json"

#: Settings of profiles.yml that name the database; the password's prefix makes dbt scrub it from its output.
_CONNECTION = (
    "HOLDFAST_DBT_HOST",
    "HOLDFAST_DBT_PORT",
    "HOLDFAST_DBT_USER",
    "HOLDFAST_DBT_DATABASE",
    "DBT_ENV_SECRET_PASSWORD",
)


class DbtError(RuntimeError):
    """A model could not be built; the message names the first models and what PostgreSQL said."""


@dataclass(frozen=True)
class NodeResult:
    """What became of one model or test."""

    resource_type: str
    schema: str
    name: str
    attached_key: tuple[str, str] | None
    status: str
    rows: int | None
    failures: int | None
    seconds: float
    message: str


@dataclass(frozen=True)
class DbtResult:
    """Results of one invocation, models and tests apart."""

    models: list[NodeResult] = field(default_factory=list)
    tests: list[NodeResult] = field(default_factory=list)


def is_manifest_fresh() -> bool:
    """Whether the parsed project on disk is newer than every file that it was parsed from."""
    if not MANIFEST.exists():
        return False
    parsed_at = MANIFEST.stat().st_mtime
    sources = [PROJECT / "dbt_project.yml", PROJECT / "profiles.yml"]
    for folder in ("models", "macros", "tests"):
        sources.extend(path for path in (PROJECT / folder).rglob("*") if path.suffix in {".sql", ".yml"})
    return all(path.stat().st_mtime <= parsed_at for path in sources)


def prepare() -> Path:
    """Parse the project if it changed; returns the manifest's path. Reads no database.

    The manifest appears whole: another process that starts meanwhile reads it.

    Raises:
        DbtError: The project cannot be parsed.
    """
    if not is_manifest_fresh():
        manifest = _parse()
        temporary = MANIFEST.with_name(f".{MANIFEST.name}.{os.getpid()}")
        try:
            manifest.write(str(temporary))
            temporary.replace(MANIFEST)
        finally:
            temporary.unlink(missing_ok=True)
    return MANIFEST


def build(url: str, select: str, *, tests: bool = True) -> DbtResult:
    """Build the selected models and run their data tests, two at a time.

    Args:
        url: libpq URL of the database.
        select: dbt selection, such as `tag:market`.
        tests: Whether the selected models' data tests run too.

    Raises:
        DbtError: A model failed. Failed tests are results, not errors: what they mean is for the gates.
    """
    arguments = ["build" if tests else "run", "--select", *select.split()]
    if tests:
        arguments += ["--exclude-resource-type", "unit_test"]
    return _invoke(url, arguments)


def unit_test(url: str, select: str = "*") -> DbtResult:
    """Run the project's unit tests; the models that they stand on must exist."""
    return _invoke(url, ["test", "--select", f"{select},test_type:unit"])


def _invoke(url: str, arguments: list[str]) -> DbtResult:
    from dbt.cli.main import dbtRunner

    manifest = _addressed_to(_parse(), str(conninfo_to_dict(url).get("dbname") or "holdfast"))
    # dbt looks at the whole call stack, and at every module for each frame of it, whenever it makes an adapter: in a
    # thread of its own the stack is short, where Dagster's cost seconds an invocation in a long-lived process
    with _environment(url), ThreadPoolExecutor(max_workers=1) as thread:
        answer = thread.submit(dbtRunner(manifest=manifest).invoke, [*arguments, *_flags()]).result()
    if answer.result is None:
        raise DbtError(f"dbt {arguments[0]} did not start: {_shorten(str(answer.exception))}")
    results = [_node_result(result) for result in answer.result.results]
    broken = [r for r in results if r.resource_type == "model" and r.status == "error"]
    broken += [r for r in results if r.resource_type != "model" and r.status == "error"]
    if broken:
        listed = "; ".join(f"{r.name}: {_shorten(r.message)}" for r in broken[:3])
        raise DbtError(f"{len(broken)} of {len(results)} dbt nodes failed. First: {listed}")
    return DbtResult(
        models=[r for r in results if r.resource_type == "model"],
        tests=[r for r in results if r.resource_type != "model"],
    )


@lru_cache(maxsize=1)
def _parse() -> Any:
    # parsed under the default profile: with the real port and password dbt would take every run for a changed project
    from dbt.cli.main import dbtRunner

    answer = dbtRunner().invoke(["parse", *_flags()])
    if not answer.success:
        raise DbtError(f"the dbt project cannot be parsed: {_shorten(str(answer.exception))}")
    return answer.result


def _addressed_to(manifest: Any, database: str) -> Any:
    """The manifest with every relation in this database: dbt fixes the name when it parses."""
    for node in (*manifest.nodes.values(), *manifest.sources.values()):
        if getattr(node, "relation_name", None):
            node.relation_name = node.relation_name.replace(f'"{node.database}".', f'"{database}".', 1)
        node.database = database
    return manifest


def _flags() -> list[str]:
    folder = str(PROJECT)
    return [
        "--project-dir", folder, "--profiles-dir", folder, "--quiet", "--log-level", "none", "--log-level-file", "none",
        "--no-version-check", "--no-use-colors", "--no-write-json",  # dbt would write the manifest in place, each time
    ]  # fmt: skip


class _environment:  # noqa: N801 -- reads as a statement
    """The connection in the environment, for the time of one invocation."""

    def __init__(self, url: str) -> None:
        parts: Mapping[str, Any] = conninfo_to_dict(url)
        values = (parts.get("host"), parts.get("port"), parts.get("user"), parts.get("dbname"), parts.get("password"))
        self._new = {
            name: str(value or default)
            for name, value, default in zip(
                _CONNECTION, values, ("127.0.0.1", "5432", "holdfast", "holdfast", ""), strict=True
            )
        }
        self._old: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._old = {name: os.environ.get(name) for name in self._new}
        os.environ.update(self._new)

    def __exit__(self, *_: object) -> None:
        for name, value in self._old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _node_result(result: Any) -> NodeResult:
    answer = result.adapter_response or {}
    rows = answer.get("rows_affected")
    return NodeResult(
        resource_type=str(result.node.resource_type),
        schema=result.node.schema,
        name=result.node.name,
        attached_key=_attached_key(result.node),
        status=str(result.status),
        rows=int(rows) if isinstance(rows, int) and rows >= 0 else None,
        failures=result.failures,
        seconds=float(result.execution_time),
        message=str(result.message or ""),
    )


def _attached_key(node: Any) -> tuple[str, str] | None:
    """Schema and name of the model that a generic test belongs to."""
    attached = getattr(node, "attached_node", None)
    if attached is None:
        return None
    model = _parse().nodes[attached]
    return (model.schema, model.name)


def _shorten(text: str) -> str:
    return " ".join(text.split())[:600]
