"""Schema migrations: the files of `migrations/`, applied forward only, each once, in order.

Belongs here: the runner. Must not be here: any statement about the product's tables (that is what the files are for).
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.pq import TransactionStatus

from assets.warehouse.database import LOCK_CLASS, MIGRATION_LOCK, Connection, has_relation, safe_error

MIGRATIONS_FOLDER = Path(__file__).parent / "migrations"
_FILE_NAME = re.compile(r"(?P<version>\d{4})_[a-z0-9_]+\.sql")


class MigrationError(RuntimeError):
    """The schema cannot be brought to this release; the message names the file and the remedy."""


@dataclass(frozen=True)
class Migration:
    """One file: `version` from its name, `content_hash` (SHA-256) independent of line endings."""

    version: int
    name: str
    statements: str
    content_hash: str


def migrate(connection: Connection, folder: Path = MIGRATIONS_FOLDER) -> list[str]:
    """Apply what is missing and return the names of the files applied, oldest first; none on an up-to-date database.

    Each file is one transaction, so a failing one leaves the database as the file before it made it. Several
    processes may call it at once.

    Args:
        connection: not inside a transaction; its autocommit mode is restored.
        folder: the files, named NNNN_name.sql from 0001 without a gap.

    Raises:
        MigrationError: a file fails, was changed after it was applied, or the database is ahead of this release.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise MigrationError("migrate() needs a connection with no transaction open: commit or roll back first.")
    migrations = read_migrations(folder)
    with _alone(connection):
        applied = _applied(connection)
        _check_history(migrations, applied)
        missing = [migration for migration in migrations if migration.version not in applied]
        for migration in missing:
            _apply(connection, migration)
    return [migration.name for migration in missing]


def read_migrations(folder: Path = MIGRATIONS_FOLDER) -> list[Migration]:
    """Read the files in order.

    Raises:
        MigrationError: a name is not NNNN_name.sql, or a number is missing or double.
    """
    migrations = []
    for expected, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None or int(match["version"]) != expected:
            raise MigrationError(f"{path}: expected the name {expected:04d}_<name>.sql here (lower case, no gap).")
        statements = path.read_bytes().decode().replace("\r\n", "\n")
        content_hash = hashlib.sha256(statements.encode()).hexdigest()
        migrations.append(Migration(expected, path.name, statements, content_hash))
    if not migrations:
        raise MigrationError(f"{folder} holds no migration: the installation is incomplete; build it again.")
    return migrations


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    autocommit = connection.autocommit
    connection.autocommit = True
    connection.execute("select pg_advisory_lock(%s, %s)", [LOCK_CLASS, MIGRATION_LOCK])
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s, %s)", [LOCK_CLASS, MIGRATION_LOCK])
            connection.autocommit = autocommit


def _applied(connection: Connection) -> dict[int, tuple[str, str]]:
    # asked first: `create schema if not exists` needs the right to create schemas even where it exists
    if not has_relation(connection, "ops.schema_migrations"):
        with connection.transaction():
            connection.execute("create schema if not exists ops")
            connection.execute(
                "create table ops.schema_migrations (version integer primary key, name text not null,"
                " content_hash text not null, applied_at timestamptz not null default now())"
            )
    rows = connection.execute("select version, name, content_hash from ops.schema_migrations").fetchall()
    return {version: (name, content_hash) for version, name, content_hash in rows}


def _check_history(migrations: list[Migration], applied: dict[int, tuple[str, str]]) -> None:
    for migration in migrations:
        name, content_hash = applied.get(migration.version, (migration.name, migration.content_hash))
        if content_hash != migration.content_hash:
            raise MigrationError(
                f"{migration.name} was changed after it had been applied to this database (as {name}; hash then "
                f"{content_hash[:12]}, now {migration.content_hash[:12]}). Restore the file and put the change into "
                f"a new one, {len(migrations) + 1:04d}_<name>.sql."
            )
    ahead = sorted(set(applied) - {migration.version for migration in migrations})
    if ahead:
        raise MigrationError(
            f"The database was migrated by a newer Holdfast (it has {applied[ahead[-1]][0]}; this release ends at "
            f"{migrations[-1].name}). Use that release or a later one."
        )


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.statements.encode())
            connection.execute(
                "insert into ops.schema_migrations (version, name, content_hash) values (%s, %s, %s)",
                [migration.version, migration.name, migration.content_hash],
            )
    except psycopg.Error as error:
        raise MigrationError(
            f"{migration.name} failed and was rolled back{_place_of(error, migration)}: {safe_error(error)}. The "
            "database is as the file before it left it."
        ) from error


def _place_of(error: psycopg.Error, migration: Migration) -> str:
    position = error.diag.statement_position
    return f" (line {migration.statements.count(chr(10), 0, int(position)) + 1})" if position else ""
