"""The reading role `bi_reader`: the one login that dashboards use.

Belongs here: what it may see. Must not be here: who keeps its password (orchestration does), tables and views.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from assets.warehouse.database import LOCK_CLASS, ROLES_LOCK, Connection, safe_error

READER_ROLE = "bi_reader"
READER_SCHEMAS = ("marts", "quality", "api")
# Its views are what the functions marts.<mart>_as_known_at read. Without usage on the schema there is no other way to
# them, and its tables stay closed.
VERSIONS_SCHEMA = "history"


@dataclass(frozen=True)
class ReaderRole:
    """Whether `bi_reader` can be used, and a sentence for people."""

    is_ready: bool
    message: str


def ensure_reader_role(connection: Connection, password: str | None = None) -> ReaderRole:
    """Create `bi_reader` where it is missing and give it exactly its rights: it reads marts, quality and api.

    Tables made later by the connected role in those schemas are covered too. A second call changes nothing. Where
    the server does not let us create roles, nothing is done, and the message says what an administrator can run.

    Args:
        connection: its transaction, if one is open, goes on; the caller commits.
        password: set it (the embedded server); None leaves the role's password alone.
    """
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, ROLES_LOCK])
            is_new = _create_role(connection)
            _configure(connection, password)
            _grant(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        return ReaderRole(
            is_ready=False,
            message=f"The role {READER_ROLE} was skipped, as this server does not let us manage roles "
            f"({safe_error(error)}). An administrator can run: create role {READER_ROLE} login; then grant it usage "
            f"on schema {', '.join(READER_SCHEMAS)} and select on all tables in them, and select on each "
            f"view (no table, no usage) of schema {VERSIONS_SCHEMA}.",
        )
    note = "" if password or not is_new else f"; give it a password with: alter role {READER_ROLE} password '…'"
    return ReaderRole(is_ready=True, message=f"The role {READER_ROLE} reads {', '.join(READER_SCHEMAS)}{note}.")


def _create_role(connection: Connection) -> bool:
    if connection.execute("select 1 from pg_roles where rolname = %s", [READER_ROLE]).fetchone():
        return False
    try:
        with connection.transaction():
            connection.execute(sql.SQL("create role {} login").format(sql.Identifier(READER_ROLE)))
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return False  # roles are the whole server's: another database's run was quicker
    return True


def _configure(connection: Connection, password: str | None) -> None:
    role = sql.Identifier(READER_ROLE)
    current = connection.execute(
        "select setconfig from pg_db_role_setting s join pg_roles r on r.oid = s.setrole"
        " where r.rolname = %s and s.setdatabase = 0",
        [READER_ROLE],
    ).fetchone()
    wanted = {"TimeZone": "UTC", "statement_timeout": "5min", "default_transaction_read_only": "on"}
    for name, value in wanted.items():
        if f"{name}={value}" not in (current[0] if current else []):
            setting = sql.SQL("alter role {} set {} = {}")
            connection.execute(setting.format(role, sql.Identifier(name), sql.Literal(value)))
    if password:
        # hashed here: a statement with the password itself could end up in the server's log
        hashed = connection.pgconn.encrypt_password(password.encode(), READER_ROLE.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("alter role {} login password {}").format(role, sql.Literal(hashed)))


def _grant(connection: Connection) -> None:
    role = sql.Identifier(READER_ROLE)
    for name in READER_SCHEMAS:
        schema = sql.Identifier(name)
        connection.execute(sql.SQL("grant usage on schema {} to {}").format(schema, role))
        connection.execute(sql.SQL("grant select on all tables in schema {} to {}").format(schema, role))
        defaults = sql.SQL("alter default privileges in schema {} grant select on tables to {}")
        connection.execute(defaults.format(schema, role))
    closed = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind = 'v'"
        " and not has_table_privilege(%s, oid, 'select')",
        [VERSIONS_SCHEMA, READER_ROLE],
    ).fetchall()
    if closed:
        views = sql.SQL(", ").join(sql.Identifier(VERSIONS_SCHEMA, name) for (name,) in closed)
        connection.execute(sql.SQL("grant select on {} to {}").format(views, role))
