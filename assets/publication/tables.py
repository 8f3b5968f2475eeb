"""The stable face of the marts: history tables that keep every published version, and the views that readers see.

A table or view keeps its identity from run to run: created once, columns only added, a view replaced only when its
definition changed. Nothing here is dropped, so grants, comments and other people's views live on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from assets.publication.as_known import as_known_at, name_of
from assets.publication.mart_specs import MartSpec
from assets.warehouse.database import has_relation

#: Raised when the tables of history are to look otherwise although no mart changed.
LAYOUT = 3
#: How full pages are filled (percent) of a mart whose rows change daily: each row's successor finds room on its page.
ROOM_FOR_SUCCESSORS = 45
#: Views and functions over the published marts, in the order of their names.
READING_FILES = Path(__file__).parent / "reading"


def ensure_marts(conn: psycopg.Connection, specs: Sequence[MartSpec]) -> None:
    """Create what is missing of history.* and marts.*, add new columns, refresh comments; commits nothing by itself.

    Raises:
        psycopg.errors.LockNotAvailable: A long reader holds a view whose definition changed; try again later.
    """
    conn.execute("set local lock_timeout = '10s'")
    conn.execute(
        "create table if not exists ops.relation_definitions (relation text primary key, definition_hash text not null)"
    )
    known: dict[str, str] = dict(
        conn.execute("select relation, definition_hash from ops.relation_definitions").fetchall()
    )
    for spec in specs:
        definition = f"{LAYOUT} {spec!r}"
        if _is_known(known, f"marts.{spec.name}", definition):
            continue
        _ensure_history(conn, spec)
        _ensure_view(conn, spec)
        _remember(conn, f"marts.{spec.name}", definition)
    for path in sorted(READING_FILES.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        if not _is_known(known, path.name, text):
            conn.execute(text.encode())
            _remember(conn, path.name, text)
    # last: they read marts.publications, which is one of the views above
    for spec in specs:
        statements = as_known_at(spec, _view_columns(conn, spec))
        definition = "\n".join(statement.as_string(conn) for statement in statements)
        if not _is_known(known, f"marts.{name_of(spec)}", definition):
            for statement in statements:
                conn.execute(statement)
            _remember(conn, f"marts.{name_of(spec)}", definition)


def ensure_month_partitions(conn: psycopg.Connection, spec: MartSpec) -> list[str]:
    """Attach the month partitions that the candidate rows of a partitioned mart need.

    A partition is made apart and attached: `create table ... partition of` would wait for every open reader.

    Returns:
        tables of history whose statistics the candidates change: those of their months, for to analyse the mart is to
        analyse every month it ever had; the mart itself where it is not partitioned or has a new month.
    """
    if spec.partition_by_month is None:
        return [spec.name]
    months = conn.execute(
        sql.SQL("select distinct date_trunc('month', {} at time zone 'UTC')::date from build.{} order by 1").format(
            sql.Identifier(spec.partition_by_month), sql.Identifier(spec.name)
        )
    ).fetchall()
    names = {f"{spec.name}_{month:%Y_%m}": month for (month,) in months}
    missing = [name for name in names if not has_relation(conn, f"history.{name}")]
    for name in missing:
        month = names[name]
        parent, child = sql.Identifier("history", spec.name), sql.Identifier("history", name)
        conn.execute(sql.SQL("create table {} (like {} including all)").format(child, parent))
        conn.execute(
            sql.SQL("alter table {} attach partition {} for values from ({}) to ({} )").format(
                parent,
                child,
                sql.Literal(f"{month:%Y-%m-%d} 00:00:00+00"),
                sql.Literal(f"{month.year + month.month // 12}-{month.month % 12 + 1:02d}-01 00:00:00+00"),
            )
        )
    return list(names) if names and not missing else [spec.name]


def _ensure_history(conn: psycopg.Connection, spec: MartSpec) -> None:
    table = sql.Identifier("history", spec.name)
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}{}").format(
            sql.Identifier(c.name), sql.SQL(c.stored_type), sql.SQL(" not null" if c.name in spec.key else "")
        )
        for c in spec.columns
    )
    key = sql.SQL(", ").join(map(sql.Identifier, spec.key))
    # of the partitioned mart the archive takes versions away by their key
    primary_key: sql.Composable = sql.SQL("")
    partitioning: sql.Composable = sql.SQL("")
    if spec.partition_by_month:
        primary_key = sql.SQL(", primary key ({}, published_from)").format(key)
        partitioning = sql.SQL(" partition by range ({})").format(sql.Identifier(spec.partition_by_month))
    conn.execute(
        sql.SQL("create table if not exists {} ({}, published_from bigint not null, published_to bigint{}){}").format(
            table, columns, primary_key, partitioning
        )
    )
    for column in spec.columns:
        conn.execute(
            sql.SQL("alter table {} add column if not exists {} {}").format(
                table,
                sql.Identifier(column.name),
                sql.SQL(column.stored_type),
            )
        )
    if spec.changes_daily:
        conn.execute(sql.SQL("alter table {} set (fillfactor = {})").format(table, sql.Literal(ROOM_FOR_SUCCESSORS)))
    # one current row per key, and the way in for readers
    conn.execute(
        sql.SQL("create unique index if not exists {} on {} ({}) where published_to is null").format(
            sql.Identifier(f"{spec.name}_current"), table, key
        )
    )
    if not spec.partition_by_month:
        _index_ended(conn, spec)
        _ensure_earlier(conn, spec)
    if spec.sparse_where:
        conn.execute(
            sql.SQL("create index if not exists {} on {} ({}) where published_to is null and {}").format(
                sql.Identifier(f"{spec.name}_sparse"), table, key, sql.SQL(spec.sparse_where)
            )
        )


def _index_ended(conn: psycopg.Connection, spec: MartSpec) -> None:
    """The way in to what publications before layout 3 ended where it stood, by the first column of the key and the end.

    That a version is there once follows from the index of the current rows.
    """
    table = sql.Identifier("history", spec.name)
    conn.execute(
        sql.SQL("alter table {} drop constraint if exists {}").format(table, sql.Identifier(f"{spec.name}_pkey"))
    )
    conn.execute(
        sql.SQL("create index if not exists {} on {} ({}, published_to) where published_to is not null").format(
            sql.Identifier(f"{spec.name}_ended"), table, sql.Identifier(spec.key[0])
        )
    )


def _ensure_earlier(conn: psycopg.Connection, spec: MartSpec) -> None:
    """The table of earlier versions: those of one first column of the key that ended together, an array per column."""
    table, key = sql.Identifier("history", f"{spec.name}_earlier"), sql.Identifier(spec.key[0])
    types = {column.name: column.stored_type for column in spec.columns} | {"published_from": "bigint"}
    key_type = sql.SQL(types.pop(spec.key[0]))
    conn.execute(
        sql.SQL("create table if not exists {} ({} {} not null, published_to bigint not null)").format(
            table, key, key_type
        )
    )
    for name, stored_type in types.items():
        conn.execute(
            sql.SQL("alter table {} add column if not exists {} {}[]").format(
                table, sql.Identifier(name), sql.SQL(stored_type)
            )
        )
    conn.execute(
        sql.SQL("create unique index if not exists {} on {} ({}, published_to)").format(
            sql.Identifier(f"{spec.name}_earlier_key"), table, key
        )
    )


def _ensure_view(conn: psycopg.Connection, spec: MartSpec) -> None:
    view, table = sql.Identifier("marts", spec.name), sql.Identifier("history", spec.name)
    existing = _view_columns(conn, spec)
    # `create or replace view` may only append: what stands keeps its place
    names = [*existing, *(n for n in spec.column_names if n not in existing)]
    conn.execute(
        sql.SQL("create or replace view {} as select {} from {} where published_to is null").format(
            view, sql.SQL(", ").join(map(sql.Identifier, names)), table
        )
    )
    comment = f"{spec.description} Key: {', '.join(spec.key)}."
    conn.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(comment)))
    for column in spec.columns:
        conn.execute(
            sql.SQL("comment on column {} is {}").format(
                sql.Identifier("marts", spec.name, column.name), sql.Literal(column.description)
            )
        )


def _view_columns(conn: psycopg.Connection, spec: MartSpec) -> list[str]:
    """Columns of the mart's view in its order; none while there is no view."""
    found = conn.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 order by attnum",
        [f"marts.{spec.name}"],
    )
    return [row[0] for row in found]


def _is_known(known: dict[str, str], relation: str, definition: str) -> bool:
    return known.get(relation) == hashlib.sha256(definition.encode()).hexdigest()


def _remember(conn: psycopg.Connection, relation: str, definition: str) -> None:
    conn.execute(
        "insert into ops.relation_definitions values (%s, %s)"
        " on conflict (relation) do update set definition_hash = excluded.definition_hash",
        [relation, hashlib.sha256(definition.encode()).hexdigest()],
    )
