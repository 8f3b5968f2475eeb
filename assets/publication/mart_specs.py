"""What each published mart looks like, read from the dbt manifest: columns, types, words, key, and its reach.

The YAML beside each mart model is the one place where a mart is described; tables, views, comments and the differences
between two publications all follow from it. No SQL is run here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: dbt types -> column types of the history tables; the domains refuse NaN and infinity.
DOMAINS = {"numeric": "ops.amount", "double precision": "ops.ratio"}


@dataclass(frozen=True)
class Column:
    """One column of a mart: its dbt type and what it means."""

    name: str
    data_type: str
    description: str

    @property
    def stored_type(self) -> str:
        """Type in history.*: numbers sit in domains that refuse NaN and infinity."""
        return DOMAINS.get(self.data_type, self.data_type)

    @property
    def is_number(self) -> bool:
        """Whether the column holds a number that could be NaN."""
        return self.data_type in DOMAINS


@dataclass(frozen=True)
class MartSpec:
    """One mart: its grain and the reach of a publication over it.

    `reach` is `scope` (rows of the portfolios that the run computed and no gate holds), `ledger` (of these, the ones
    whose ledger ran), `scope_and_held` (held portfolios too: what a check says of them must be seen) or `all` (the
    candidate is the whole table). With a `day_column` it reaches the days that the run computed.
    `clock_columns` name a run or a clock: a difference in them alone is no change.
    `changes_daily`: nearly every row differs from the day before, in place: its pages keep room for that.
    Of the mart that is partitioned by month `keep_where` selects rows that stay although the candidate no longer has
    them (snapshots of earlier moments), `outdated_where` those that end although their day was not computed.
    `sparse_where` selects the few rows of a long history that a check asks for: they have an index of their own.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    reach: str
    clock_columns: tuple[str, ...]
    keep_where: str | None
    outdated_where: str | None
    sparse_where: str | None
    day_column: str | None
    is_counted: bool
    changes_daily: bool
    partition_by_month: str | None

    @property
    def column_names(self) -> tuple[str, ...]:
        """All column names in mart order."""
        return tuple(column.name for column in self.columns)

    @property
    def compared(self) -> tuple[str, ...]:
        """Columns whose difference makes a row a changed row."""
        return tuple(n for n in self.column_names if n not in self.clock_columns and n not in self.key)


def read_specs(manifest_path: Path) -> list[MartSpec]:
    """Read the marts of a dbt manifest, in the order of their names.

    Raises:
        ValueError: A mart has no key in its meta, or a key column that it does not have.
    """
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    nodes = [n for n in manifest["nodes"].values() if n["resource_type"] == "model" and n["schema"] == "build"]
    return sorted((_spec(node) for node in nodes), key=lambda spec: spec.name)


def _spec(node: dict[str, Any]) -> MartSpec:
    meta = node["config"].get("meta", {})
    key = tuple(meta.get("key", ()))
    columns = tuple(
        Column(c["name"], str(c.get("data_type") or ""), " ".join(str(c.get("description") or "").split()))
        for c in node["columns"].values()
    )
    names = {column.name for column in columns}
    if not key or not set(key) <= names:
        raise ValueError(f"mart {node['name']}: meta.key {list(key)} must name columns of the model; fix its YAML")
    return MartSpec(
        name=node["name"],
        description=" ".join(str(node["description"]).split()),
        columns=columns,
        key=key,
        reach=meta.get("reach", "scope"),
        clock_columns=tuple(meta.get("clock_columns", ())),
        keep_where=meta.get("keep_where"),
        outdated_where=meta.get("outdated_where"),
        sparse_where=meta.get("sparse_where"),
        day_column=meta.get("day_column"),
        is_counted=bool(meta.get("is_counted", True)),
        changes_daily=bool(meta.get("changes_daily", False)),
        partition_by_month=meta.get("partition_by_month"),
    )
