"""What is done to the embedded server's data directory while no server runs on it.

Belongs here: making it, and setting a lost password. Must not be here: running servers (embedded_postgres).
"""

import shutil
from pathlib import Path

from psycopg import sql

from orchestration.postmaster import disarm_stale_lock
from orchestration.server_configuration import server_configuration
from orchestration.server_place import EmbeddedPostgresError, ServerPlace, write_file

OWNER = "holdfast"


def initialise(place: ServerPlace, binaries: Path, password: str) -> None:
    """Make the data directory, owned by the role `holdfast` with `password`.

    It is made under another name and renamed when whole: an interrupted attempt leaves no half of one behind.

    Raises:
        EmbeddedPostgresError: initdb failed.
    """
    fresh, password_file = place.folder / "data.new", place.folder / ".password"
    shutil.rmtree(fresh, ignore_errors=True)
    write_file(password_file, password + "\n", 0o600, place.user)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = ["--auth=scram-sha-256", f"--username={OWNER}", f"--pwfile={password_file}"]
    try:
        made = place.user.run([str(binaries / "initdb"), f"--pgdata={fresh}", *locale, *access])
    finally:
        password_file.unlink(missing_ok=True)
    if made.returncode != 0:
        raise EmbeddedPostgresError(
            f"initdb failed in {place.folder} as user {place.user.name}:\n{last_lines(made.stdout + made.stderr)}\n"
            "Free space, a file system with permissions and a user known to the system are needed; set HOLDFAST_HOME "
            "to a folder that has them, or HOLDFAST_DATABASE_URL to a server of your own."
        )
    hba = "".join(f"host {name} all 127.0.0.1/32 scram-sha-256\n" for name in ("all", "replication"))
    write_file(fresh / "pg_hba.conf", hba, 0o600, place.user)
    with (fresh / "postgresql.conf").open("a") as stream:
        stream.write("\n# Written by Holdfast at every start; for settings of your own use ALTER SYSTEM.\n")
        stream.write("include = 'holdfast.conf'\n")
    fresh.rename(place.data)


def reset_password(place: ServerPlace, binaries: Path, password: str) -> None:
    """Set the owner's password in single-user mode: the file with it was lost, the data were not.

    The server must be stopped.

    Raises:
        EmbeddedPostgresError: PostgreSQL refused.
    """
    disarm_stale_lock(place.data, place.user)
    script = place.folder / ".reset.sql"
    statement = sql.SQL("alter role {} password {};\n").format(sql.Identifier(OWNER), sql.Literal(password)).as_string()
    write_file(script, statement, 0o600, place.user)
    if not (place.data / "holdfast.conf").exists():
        write_file(place.data / "holdfast.conf", server_configuration(0, {}), 0o600, place.user)
    command = 'script=$1; shift; exec "$@" <"$script"'
    server = [str(binaries / "postgres"), "--single", "-D", str(place.data), "postgres"]
    try:
        done = place.user.run(["/bin/sh", "-c", command, "sh", str(script), *server])
    finally:
        script.unlink(missing_ok=True)
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise EmbeddedPostgresError(
            f"The password of the database in {place.data} is lost and cannot be set anew:\n{last_lines(done.stderr)}"
        )


def last_lines(text: str, count: int = 12) -> str:
    """The end of a log or of a program's output, set off for an error message."""
    return "\n".join(f"  | {line}" for line in text.strip().splitlines()[-count:])
