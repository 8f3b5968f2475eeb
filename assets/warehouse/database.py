"""Thin helpers over psycopg 3: connections, bulk loads, the pipeline's lock, and texts that may be shown.

Belongs here: what every writer needs and SQL of its own housekeeping. Must not be here: any table of the product
(its owner's module writes it), migrations (migrate), the embedded server (orchestration).
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    import polars

Connection = psycopg.Connection[Any]

# Advisory locks are two integers: this class is Holdfast's ("hold" in ASCII), the second says what is locked.
LOCK_CLASS = 0x686F6C64
PIPELINE_LOCK = 1
MIGRATION_LOCK = 2
ROLES_LOCK = 3

_FRAME_SLICE_ROWS = 100_000
_PASSWORD = re.compile(
    r"""(?P<url>\w://[^\s:/@]*:)\S*(?=@)                            # //user:password@
      | (?P<word>\b(?:password|passwd|pwd|pgpassword)['\"]?\s*[=:]\s*)    # password=...
        (?:'(?:[^'\\]|\\.)*'|"[^"]*"|[^\s&'"]+)""",
    re.IGNORECASE | re.VERBOSE,
)


class PipelineBusyError(RuntimeError):
    """Another run holds the pipeline; the message names it."""


class PipelineLockLostError(RuntimeError):
    """The connection that held the pipeline's lock is gone: another run may have begun; this one must not publish."""


def connect(
    url: str, *, autocommit: bool = False, application_name: str = "holdfast", connect_timeout: int = 15
) -> Connection:
    """Open a connection whose time zone is UTC.

    Errors of psycopg name host, port and user, never the password; `safe_error` makes sure of it.
    """
    connection: Connection = psycopg.connect(
        url, autocommit=True, application_name=application_name[:63], connect_timeout=connect_timeout
    )
    try:
        # a statement, not the `options` of the start-up packet: that would replace what the URL gives there
        connection.execute("set time zone 'UTC'")
        connection.autocommit = autocommit
    except BaseException:
        connection.close()
        raise
    return connection


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Append `rows` (tuples in the order of `columns`; None is NULL) to `table` by COPY. Returns how many there were.

    Args:
        connection: in a transaction of the caller's, which commits it.
        table: `schema.table`.
        columns: column names.
        rows: any iterable, read once and never held whole.
    """
    count = 0
    with connection.cursor() as cursor, cursor.copy(_copy_statement(table, columns, "")) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def copy_frame(connection: Connection, table: str, frame: "polars.DataFrame") -> int:
    """Append a polars frame to the columns of `table` named as the frame's. Returns the number of rows.

    A null becomes NULL and an empty string stays one: strings are always quoted, and COPY takes only an unquoted
    nothing for NULL. NaN is passed on as it is (the types `ops.amount` and `ops.ratio` refuse it). A time without a
    zone counts as UTC. Nested columns are not supported.
    """
    statement = _copy_statement(table, frame.columns, " (format csv)")
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for part in frame.iter_slices(_FRAME_SLICE_ROWS):
            buffer = io.BytesIO()
            part.write_csv(buffer, include_header=False, quote_style="non_numeric", null_value="")
            copy.write(buffer.getbuffer())
    return frame.height


def read_frame(
    connection: Connection, query: str, parameters: Sequence[Any], schema: "Mapping[str, type[polars.DataType]]"
) -> "polars.DataFrame":
    """The rows of a query as a polars frame, by COPY.

    Args:
        connection: any.
        query: a select; its columns in the order of `schema`.
        parameters: of the query.
        schema: column -> polars type. A numeric column read as Float64 is rounded to the nearest double.
    """
    import polars

    buffer = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(f"copy ({query}) to stdout (format csv)", parameters) as copy:
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    return polars.read_csv(buffer, has_header=False, schema=dict(schema))


def redact(text: str) -> str:
    """Replace every password in a URL, a connection string or a message by `***`."""
    return _PASSWORD.sub(lambda match: f"{match['url'] or match['word']}***", text)


def safe_error(error: BaseException) -> str:
    """One line for logs and summaries: the kind of error and its message, without passwords."""
    message = " ".join(redact(str(error)).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


@dataclass(frozen=True)
class PipelineLock:
    """Proof of holding the pipeline, for as long as its connection lives."""

    run_id: str
    connection: Connection

    def assert_held(self) -> None:
        """Ask the server whether the lock is still ours; call it right before publishing.

        Raises:
            PipelineLockLostError: the connection broke, for instance by a restart of the server.
        """
        try:
            row = self.connection.execute(
                "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted"
                " and classid = %s and objid = %s",
                [LOCK_CLASS, PIPELINE_LOCK],
            ).fetchone()
        except psycopg.Error as error:
            raise PipelineLockLostError(
                f"Run {self.run_id} lost the pipeline's lock ({safe_error(error)}); nothing was published. Run again."
            ) from error
        if row is None or row[0] != 1:
            raise PipelineLockLostError(f"Run {self.run_id} no longer holds the pipeline's lock. Run again.")


@contextmanager
def pipeline_lock(url: str, run_id: str, wait_seconds: float = 0) -> Iterator[PipelineLock]:
    """Hold the pipeline (one run at a time in one database) on a connection of its own.

    The lock ends with the connection, so a killed run leaves none behind.

    Args:
        url: the database.
        run_id: shown to others as the holder.
        wait_seconds: how long to wait for another run to end; 0 = not at all.

    Raises:
        PipelineBusyError: another run held it all that time.
    """
    with connect(url, autocommit=True, application_name=f"holdfast run {run_id}") as connection:
        connection.execute("set idle_session_timeout = 0")
        if not _take_lock(connection, wait_seconds):
            raise PipelineBusyError(_describe_holder(connection, wait_seconds))
        yield PipelineLock(run_id, connection)


def _take_lock(connection: Connection, wait_seconds: float) -> bool:
    if wait_seconds <= 0:
        row = connection.execute("select pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, PIPELINE_LOCK]).fetchone()
        return bool(row and row[0])
    connection.execute("select set_config('lock_timeout', %s, false)", [f"{max(1, round(wait_seconds * 1000))}ms"])
    try:
        connection.execute("select pg_advisory_lock(%s, %s)", [LOCK_CLASS, PIPELINE_LOCK])
    except psycopg.errors.LockNotAvailable:
        return False
    connection.execute("set lock_timeout = 0")
    return True


def _describe_holder(connection: Connection, wait_seconds: float) -> str:
    holder = connection.execute(
        "select a.application_name, a.pid, a.backend_start from pg_locks l left join pg_stat_activity a using (pid)"
        " where l.locktype = 'advisory' and l.granted and l.classid = %s and l.objid = %s"
        " and l.database = (select oid from pg_database where datname = current_database())",
        [LOCK_CLASS, PIPELINE_LOCK],
    ).fetchone()
    waited = f" after waiting {wait_seconds:g} s" if wait_seconds > 0 else ""
    if holder is None:
        return f"The pipeline was busy{waited}, and is free by now. Run again."
    name, pid, since = holder
    run_id = (name or "").removeprefix("holdfast run ")
    started = f"since {since:%Y-%m-%d %H:%M:%S} UTC" if since else "since an unknown time"
    details = _describe_run(connection, run_id)
    return (
        f"The pipeline is held{waited} by run {run_id or '(unknown)'}{details}, {started} (database process {pid}). "
        f"Wait for it to end; if its process is gone, end it with: select pg_terminate_backend({pid})"
    )


def has_relation(connection: Connection, name: str) -> bool:
    """Whether the database has a table or view `schema.name`: before the first run it has none."""
    return connection.execute("select to_regclass(%s) is not null", [name]).fetchone() == (True,)


def _describe_run(connection: Connection, run_id: str) -> str:
    if not has_relation(connection, "ops.runs"):
        return ""
    run = connection.execute("select status, as_of, inputs_path from ops.runs where run_id = %s", [run_id]).fetchone()
    return f" ({run[0]}, as of {run[1]:%Y-%m-%d %H:%M:%S} UTC, inputs {run[2]})" if run else ""


def table_identifier(table: str) -> sql.Identifier:
    """`schema.table` as a quoted identifier."""
    return sql.Identifier(*table.split("."))


def _copy_statement(table: str, columns: Sequence[str], options: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("copy {} ({}) from stdin").format(table_identifier(table), names) + sql.SQL(options)
