"""The Parquet archive: rows leave a table for a file, and are found there by SQL of DuckDB.

Belongs here: how rows move and how files are read, whatever the rows are. Must not be here: which rows are old enough
(assets/market/archive.py, assets/publication/retention.py), when it happens (orchestration).

One transaction of PostgreSQL moves one file's rows: they are locked, written to a temporary name, flushed to disk, read
back by DuckDB and compared value by value, renamed, and only then deleted and the file entered in ops.archive_files.
The commit is the switch: before it the rows are in the table and the file is nobody's, after it the other way round. A
crash anywhere loses nothing and doubles nothing; what it left is written again under the same name by the next time.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from assets.warehouse.database import Connection, has_relation, read_frame, table_identifier

if TYPE_CHECKING:
    import duckdb
    import polars

#: At most so many rows in a file: what is held in memory at once.
ROWS = 200_000
_UNFINISHED = "unfinished.part"


class ArchiveError(RuntimeError):
    """A file that is not what was written, is missing, or a question that cannot be answered; says what to do."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows that are archived together.

    Attributes:
        name: of the folder and of DuckDB's view.
        table: `schema.table` that they leave.
        key: columns that tell its rows apart.
        series: column by which files are grouped, beside the month.
        moment: column whose month (UTC) is meant.
    """

    name: str
    table: str
    key: tuple[str, ...]
    series: str
    moment: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What one archiving moved: rows and files."""

    rows: int = 0
    files: int = 0

    def __add__(self, other: "Moved") -> "Moved":
        return Moved(self.rows + other.rows, self.files + other.files)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file that counts."""

    path: str
    dataset: str
    series: str
    month: date
    rows: int
    archived_at: datetime


def move(
    conn: Connection,
    root: Path,
    dataset: Dataset,
    old: sql.Composable,
    beside: Callable[[Connection, str, int], None] = lambda conn, series, rows: None,
    rows: int = ROWS,
    at: Callable[[str], None] = lambda step: None,
) -> Moved:
    """Move rows into files.

    Args:
        conn: with autocommit: each file has a transaction of its own. The caller sees to it that one archives at a
            time (the pipeline's lock).
        root: HOLDFAST_HOME/archive.
        dataset: whose rows.
        old: a select of the key of the rows that go.
        beside: called in each file's transaction with series and number of rows, to write what follows from it.
        rows: at most so many in a file.
        at: called with the name of each step once it is done (a test ends the process there).

    Raises:
        ArchiveError: what was read back differs from what was written: nothing was deleted.
        OSError: the disk is full or the folder cannot be written: nothing was deleted.
    """
    key = _names("t", dataset.key)
    with conn.transaction():
        conn.execute("drop table if exists pg_temp.archive_old")
        conn.execute(
            sql.SQL(
                "create temporary table archive_old as select {key}, series, month, (row_number() over"
                " (partition by series, month order by {key}) - 1) / {rows} as part from (select {key},"
                " t.{series} as series, date_trunc('month', t.{moment} at time zone 'UTC')::date as month"
                " from {table} as t inner join ({old}) as old using ({plain})) as t"
            ).format(
                key=key,
                rows=sql.Literal(rows),
                series=sql.Identifier(dataset.series),
                moment=sql.Identifier(dataset.moment),
                table=table_identifier(dataset.table),
                old=old,
                plain=sql.SQL(", ").join(map(sql.Identifier, dataset.key)),
            )
        )
    parts = conn.execute(
        "select distinct series, month, part from pg_temp.archive_old order by series, month, part"
    ).fetchall()
    moved = Moved()
    for series, month, part in parts:
        with conn.transaction():
            count = _move_part(conn, root, dataset, (series, month, part), at)
            if count:
                beside(conn, series, count)
                moved += Moved(count, 1)
        at("committed")
    return moved


def _move_part(
    conn: Connection, root: Path, dataset: Dataset, part: tuple[str, date, int], at: Callable[[str], None]
) -> int:
    """One file, in the caller's transaction. A row that has gone since is left out."""
    same = sql.SQL(" and ").join(sql.SQL("t.{c} = old.{c}").format(c=sql.Identifier(c)) for c in dataset.key)
    table = table_identifier(dataset.table)
    conn.execute("drop table if exists pg_temp.archive_going")
    count = conn.execute(
        sql.SQL(
            "create temporary table archive_going on commit drop as select t.* from {} as t"
            " inner join pg_temp.archive_old as old on {}"
            " where old.series = {} and old.month = {} and old.part = {} for update of t"
        ).format(table, same, *map(sql.Literal, part))
    ).rowcount
    if count <= 0:
        return 0
    columns = columns_of(conn, dataset)
    frame, digest = _read(conn, dataset, columns)
    at("read")
    folder = root / dataset.name / f"{dataset.series}={part[0]}" / f"month={part[1]:%Y-%m}"
    unfinished, final = folder / _UNFINISHED, folder / f"{digest}.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(unfinished, compression="zstd")
    _flush(unfinished)
    at("written")
    found = _digest_of(unfinished, columns)
    if found != (count, digest):
        raise ArchiveError(
            f"{unfinished}: read back {found[0]} rows with digest {found[1]}, expected {count} with {digest};"
            " nothing was deleted. Check the disk, then run holdfast archive run again."
        )
    at("compared")
    unfinished.replace(final)
    for place in (folder, *folder.parents[:4]):
        _flush(place)
    at("renamed")
    deleted = conn.execute(
        sql.SQL("delete from {} as t using pg_temp.archive_going as old where {}").format(table, same)
    ).rowcount
    if deleted != count:
        raise ArchiveError(f"{dataset.table}: {deleted} of {count} rows could be deleted; nothing was. Run it again.")
    conn.execute(
        "insert into ops.archive_files (path, dataset, series, month, row_count, digest)"
        " values (%s, %s, %s, %s, %s, %s)",
        [str(final.relative_to(root)), dataset.name, part[0], part[1], count, digest],
    )
    at("deleted")
    return count


_KINDS = {
    "timestamp with time zone": "time", "bigint": "whole", "integer": "whole", "boolean": "truth", "date": "day",
    "numeric": "number", "double precision": "number", "text": "text",
}  # fmt: skip


def columns_of(conn: Connection, dataset: Dataset) -> dict[str, str]:
    """Columns of the dataset's table with their kind: time, day, whole, truth, number, text."""
    found = conn.execute(
        "select a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) from pg_attribute as a"
        " inner join pg_type as t on a.atttypid = t.oid"
        " where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum",
        [dataset.table],
    )
    return {name: _KINDS[kind] for name, kind in found}


def _read(conn: Connection, dataset: Dataset, columns: Mapping[str, str]) -> "tuple[polars.DataFrame, str]":
    """The rows of archive_going, ordered by their key, and the digest of all their values as PostgreSQL writes them."""
    import polars as pl

    def text(name: str, kind: str) -> str:
        column = sql.Identifier(name).as_string(conn)
        if kind == "time":
            return f"(extract(epoch from {column}) * 1000000)::bigint::text"
        return f"{column}::int::text" if kind == "truth" else f"{column}::text"

    texts = [text(name, kind) for name, kind in columns.items()]
    # qualified: a bare name would mean the output column, which is text
    order = _names("rows", dataset.key).as_string(conn)
    row = conn.execute(
        f"select md5(string_agg(md5({_line(texts)}), '' order by {order})) from pg_temp.archive_going as rows".encode()
    ).fetchone()
    query = f"select {', '.join(texts)} from pg_temp.archive_going as rows order by {order}"
    frame = read_frame(conn, query, [], dict.fromkeys(columns, pl.String))
    # numbers stay the text that PostgreSQL gives: no type of Parquet holds every one of them exactly
    typed = {
        "time": lambda column: column.cast(pl.Int64).cast(pl.Datetime("us")),
        "whole": lambda column: column.cast(pl.Int64),
        "truth": lambda column: column == "1",
        "day": lambda column: column.str.to_date(),
    }
    casts = [typed[kind](pl.col(name)) for name, kind in columns.items() if kind in typed]
    return frame.with_columns(casts), str(row[0]) if row else ""


def _digest_of(path: Path, columns: Mapping[str, str]) -> tuple[int, str]:
    """Rows of a file and the digest of their values, in the file's order, as DuckDB reads it."""
    forms = {"time": "epoch_us({})::varchar", "truth": "{}::int::varchar"}
    line = _line([forms.get(kind, "{}::varchar").format(_quoted(name)) for name, kind in columns.items()])
    with _duckdb() as duck:
        row = duck.execute(
            f"select count(*), coalesce(md5(string_agg(md5({line}), '' order by file_row_number)), '')"
            " from read_parquet(?, file_row_number = true)",
            [str(path)],
        ).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, "")


def _line(texts: Sequence[str]) -> str:
    """A row as one text, the same in PostgreSQL and in DuckDB: unit separators between, a record separator for null."""
    return f"concat_ws(chr(31), {', '.join(f'coalesce({text}, chr(30))' for text in texts)})"


def read_files(conn: Connection) -> list[ArchiveFile]:
    """The files that count, by dataset, series and month; none before the database knows of an archive."""
    if not has_relation(conn, "ops.archive_files"):
        return []
    rows = conn.execute(
        "select path, dataset, series, month, row_count, archived_at from ops.archive_files"
        " order by dataset, series, month, path"
    )
    return [ArchiveFile(*row) for row in rows]


def query(conn: Connection, root: Path, datasets: Sequence[Dataset], question: str) -> "polars.DataFrame":
    """Answer a question with DuckDB: a view for each dataset over the files that count, and nothing else to read.

    Times are UTC. Numbers are double precision in a dataset's own view; `<name>_exact` has them as exact text.

    Raises:
        ArchiveError: not one single select, DuckDB refuses it, or a file is missing.
    """
    files = read_files(conn)
    missing = [file.path for file in files if not (root / file.path).is_file()]
    if missing:
        raise ArchiveError(
            f"{root / missing[0]} is missing ({len(missing)} of {len(files)} files of the archive): expected every file"
            " that ops.archive_files names; restore the folder from a backup, or set HOLDFAST_HOME to where it lies"
        )
    import duckdb

    with _duckdb() as duck:
        paths: list[str] = []
        for dataset in datasets:
            own = [str(root / file.path) for file in files if file.dataset == dataset.name]
            columns = columns_of(conn, dataset)
            # the published history has no tables before the first run
            if columns:
                _create_views(duck, dataset.name, columns, own)
            paths += own
        # nothing but the archive can be read, nothing at all can be written
        duck.execute(f"set allowed_paths = [{', '.join(map(_literal, paths))}]")
        duck.execute("set enable_external_access = false")
        duck.execute("set lock_configuration = true")
        try:
            statements = duck.extract_statements(question)
            if len(statements) != 1 or statements[0].type not in {
                duckdb.StatementType.SELECT,
                duckdb.StatementType.EXPLAIN,
            }:
                raise ArchiveError(
                    f"{len(statements)} statements, or one that is no select: expected one select over the views"
                    f" {', '.join(dataset.name for dataset in datasets)}; the archive is read only"
                )
            answer: polars.DataFrame = duck.sql(question).pl()
            return answer
        except duckdb.Error as error:
            raise ArchiveError(f"DuckDB cannot answer: {error}") from None


def _create_views(
    duck: "duckdb.DuckDBPyConnection", name: str, columns: Mapping[str, str], paths: Sequence[str]
) -> None:
    types = {"time": "timestamp", "whole": "bigint", "truth": "boolean", "day": "date"}
    if paths:
        # files are older than a column that was added since
        given = f"select * from read_parquet([{', '.join(map(_literal, paths))}], union_by_name = true,"
        given += " hive_partitioning = false)"
        known = {row[0] for row in duck.execute(f"describe {given}").fetchall()}
    else:
        given, known = "select 1 where false", set()
    typed = {column: types.get(kind, "varchar") for column, kind in columns.items()}
    exact = [
        f"{_quoted(c)}::{kind} as {_quoted(c)}" if c in known else f"null::{kind} as {_quoted(c)}"
        for c, kind in typed.items()
    ]
    duck.execute(f"create view {_quoted(name + '_exact')} as select {', '.join(exact)} from ({given})")
    shown = [f"{_quoted(c)}::double as {_quoted(c)}" if k == "number" else _quoted(c) for c, k in columns.items()]
    duck.execute(f"create view {_quoted(name)} as select {', '.join(shown)} from {_quoted(name + '_exact')}")


def _duckdb() -> "duckdb.DuckDBPyConnection":
    import duckdb

    return duckdb.connect(config={"autoinstall_known_extensions": "false", "threads": "2"})


def _flush(path: Path) -> None:
    """Make what was written to a file, or the names in a folder, outlive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _names(alias: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, column) for column in columns)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
