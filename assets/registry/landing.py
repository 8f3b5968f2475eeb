"""Landing: inputs into `raw`, `registry` and `ops.input_files`, in one transaction that the caller owns.

Belongs here: what a batch is to the database (new, known, rejected, current, retracted).
Must not be here: reading and checking of files (folder), the registry's own tables (registry_rows).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from assets.registry.folder import FolderSource, Inputs, read_inputs, validate
from assets.registry.registry_rows import land_registry
from assets.registry.sources import Batch, Kind, Source, Window
from assets.warehouse.database import Connection, copy_frame

__all__ = ["KindCounts", "LandingResult", "land", "land_batches", "read_inputs", "validate"]


@dataclass(slots=True)
class KindCounts:
    """One kind: files in the folder, batches and rows that are new, rows newly set aside, files retracted."""

    files: int = 0
    new_batches: int = 0
    rows: int = 0
    quarantined: int = 0
    retracted: int = 0


@dataclass(frozen=True, slots=True)
class RejectedBatch:
    """A batch of the present folder that does not count; its path's last accepted batch stays current."""

    kind: Kind
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class LandingResult:
    """What a landing did.

    Attributes:
        counts: by kind.
        rejected: batches of this folder that are rejected, also when they were so in an earlier run.
        registry_changes: rows written in `registry`.
        fingerprint: of the inputs.
    """

    counts: dict[Kind, KindCounts]
    rejected: tuple[RejectedBatch, ...]
    registry_changes: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Stored:
    """A batch as the database has it."""

    batch_id: int
    status: str
    quarantined: int


@dataclass(slots=True)
class _Landed:
    """Batch ids of what a source gave, by (kind, path), and what was rejected."""

    current: dict[tuple[Kind, str], int] = field(default_factory=dict)
    rejected: list[RejectedBatch] = field(default_factory=list)


def land(connection: Connection, inputs: Inputs, run_id: str) -> LandingResult:
    """Make the database say what the folder says.

    Landing the same inputs twice adds nothing. A changed file's batch becomes current in its place, a vanished file
    leaves `ops.input_files` (its batch stays in `raw`), a content known from before becomes current again.

    Args:
        connection: in a transaction that the caller commits or rolls back.
        inputs: what `read_inputs` gave.
        run_id: written beside new batches and quarantined rows.
    """
    source = FolderSource(inputs)
    counts: dict[Kind, KindCounts] = {kind: KindCounts() for kind in source.kinds}
    for batch in inputs.batches:
        counts[batch.kind].files += 1
    registry_changes = land_registry(
        connection, inputs.portfolios, inputs.instruments, inputs.scenarios, inputs.risk_scores
    )
    landed = land_batches(connection, source, Window(), run_id, counts)
    paths = [batch.path for batch in inputs.batches]
    for kind, number in _retract(connection, source.name, paths).items():
        counts[kind].retracted += number
    _make_current(connection, landed.current)
    return LandingResult(counts, tuple(landed.rejected), registry_changes, inputs.fingerprint)


def land_batches(
    connection: Connection, source: Source, window: Window, run_id: str, counts: Mapping[Kind, KindCounts]
) -> _Landed:
    """Land what a source gives for a window; batches whose content is known add nothing.

    Args:
        connection: in a transaction of the caller.
        source: files, or later chains, exchanges, market data.
        window: passed on to the source.
        run_id: written beside new batches.
        counts: added to.
    """
    batches = list(source.fetch(window))
    known = _known(connection, source.name, batches)
    new = [batch for batch in batches if _key(batch) not in known]
    ids = _insert_batches(connection, source.name, new, run_id)
    _copy_rows(connection, [(ids[_key(batch)].batch_id, batch.kind, batch.rows) for batch in new])
    _copy_quarantined(connection, [(ids[_key(batch)].batch_id, batch) for batch in new], run_id)
    for batch in new:
        counts[batch.kind].new_batches += 1
        counts[batch.kind].rows += batch.rows.height
        counts[batch.kind].quarantined += batch.quarantined.height
    landed = _Landed()
    for batch in batches:
        stored = ids.get(_key(batch)) or known[_key(batch)]
        if stored.quarantined > batch.quarantined.height:
            stored = _readmit(connection, stored, batch, counts[batch.kind])
        if stored.status == "accepted":
            landed.current[batch.kind, batch.path] = stored.batch_id
        else:
            landed.rejected.append(RejectedBatch(batch.kind, batch.path, batch.refusal or "rejected"))
    return landed


_Key = tuple[str, str, str]


def _key(batch: Batch) -> _Key:
    return batch.kind, batch.path, batch.content_hash


def _known(connection: Connection, source: str, batches: Sequence[Batch]) -> dict[_Key, _Stored]:
    rows = connection.execute(
        """
        select b.kind, b.path, b.content_hash, b.batch_id, b.status, b.quarantined_count
        from raw.batches as b
        inner join unnest(%s::text[], %s::text[], %s::text[]) as asked (kind, path, content_hash)
            on b.kind = asked.kind and b.path = asked.path and b.content_hash = asked.content_hash
        where b.source = %s
        """,
        [*_columns(_key(batch) for batch in batches), source],
    ).fetchall()
    return {(row[0], row[1], row[2]): _Stored(row[3], row[4], row[5]) for row in rows}


def _columns(keys: Iterable[_Key]) -> list[list[str]]:
    kept = list(keys)
    return [[key[position] for key in kept] for position in range(3)]


def _insert_batches(connection: Connection, source: str, batches: Sequence[Batch], run_id: str) -> dict[_Key, _Stored]:
    rows = connection.execute(
        """
        insert into raw.batches
            (kind, source, path, content_hash, row_count, quarantined_count, status, status_reason, run_id)
        select
            kind, %s, path, content_hash, row_count, quarantined_count,
            case when status_reason is null then 'accepted' else 'rejected' end, status_reason, %s
        from unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::text[])
            with ordinality as new (kind, path, content_hash, row_count, quarantined_count, status_reason, position)
        order by position
        returning kind, path, content_hash, batch_id, status, quarantined_count
        """,
        [
            source,
            run_id,
            *_columns(_key(batch) for batch in batches),
            [batch.row_count for batch in batches],
            [batch.quarantined.height for batch in batches],
            [batch.refusal for batch in batches],
        ],
    ).fetchall()
    return {(row[0], row[1], row[2]): _Stored(row[3], row[4], row[5]) for row in rows}


def _copy_rows(connection: Connection, parts: Sequence[tuple[int, Kind, pl.DataFrame]]) -> None:
    """One COPY for each kind, however many files."""
    for kind in dict.fromkeys(kind for _, kind, _ in parts):
        frames = [rows.with_columns(batch_id=pl.lit(number)) for number, own, rows in parts if own == kind]
        copy_frame(connection, f"raw.{kind}", pl.concat(frames))
        # the models come before autovacuum does, and without statistics they are planned for a few rows
        connection.execute(f"analyze raw.{kind}")


def _copy_quarantined(connection: Connection, parts: Sequence[tuple[int, Batch]], run_id: str) -> None:
    frames = [
        batch.quarantined.with_columns(
            batch_id=pl.lit(number), kind=pl.lit(batch.kind), path=pl.lit(batch.path), run_id=pl.lit(run_id)
        )
        for number, batch in parts
        if batch.quarantined.height
    ]
    if frames:
        copy_frame(connection, "quality.quarantined_rows", pl.concat(frames))


def _readmit(connection: Connection, stored: _Stored, batch: Batch, counts: KindCounts) -> _Stored:
    """A price was of the future when its file landed, and its time has come: the row joins its batch."""
    rows = connection.execute("select line from quality.quarantined_rows where batch_id = %s", [stored.batch_id])
    aside = [row[0] for row in rows.fetchall()]
    admitted = batch.rows.filter(pl.col("line").is_in(aside))
    _copy_rows(connection, [(stored.batch_id, batch.kind, admitted)])
    connection.execute(
        "delete from quality.quarantined_rows where batch_id = %s and line = any(%s)",
        [stored.batch_id, admitted["line"].to_list()],
    )
    status = "rejected" if batch.refusal else "accepted"
    connection.execute(
        "update raw.batches set quarantined_count = %s, status = %s, status_reason = %s where batch_id = %s",
        [batch.quarantined.height, status, batch.refusal, stored.batch_id],
    )
    counts.rows += admitted.height
    return _Stored(stored.batch_id, status, batch.quarantined.height)


def _retract(connection: Connection, source: str, paths: Sequence[str]) -> dict[Kind, int]:
    rows = connection.execute(
        """
        with retracted as (
            delete from ops.input_files as f
            using raw.batches as b
            where b.batch_id = f.batch_id and b.source = %s and f.path <> all(%s::text[])
            returning f.kind
        )

        select kind, count(*) from retracted group by kind
        """,
        [source, list(paths)],
    ).fetchall()
    return dict(rows)


def _make_current(connection: Connection, current: Mapping[tuple[Kind, str], int]) -> None:
    connection.execute(
        """
        insert into ops.input_files as f (path, kind, batch_id)
        select path, kind, batch_id from unnest(%s::text[], %s::text[], %s::bigint[]) as now (path, kind, batch_id)
        on conflict (path) do update set kind = excluded.kind, batch_id = excluded.batch_id
        where (f.kind, f.batch_id) is distinct from (excluded.kind, excluded.batch_id)
        """,
        [[path for _, path in current], [kind for kind, _ in current], list(current.values())],
    )
