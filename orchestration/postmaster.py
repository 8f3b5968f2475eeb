"""Who is the postmaster of a data directory: PostgreSQL's lock file, checked against the living processes.

Belongs here: reading and disarming postmaster.pid, and the process table. Must not be here: decisions about starting
and stopping (embedded_postgres).
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestration.server_place import ServiceUser, write_file

_NO_PROCESS = 2**22 + 1  # above the highest process id that Linux can give


@dataclass(frozen=True)
class Postmaster:
    """A living postmaster. `port` is 0 until it has written it."""

    pid: int
    port: int
    is_ready: bool


def read_postmaster(data: Path) -> Postmaster | None:
    """Read postmaster.pid, and believe it only if that process is alive and works in `data`."""
    lines = _lock_lines(data)
    pid = _pid(lines)
    if not pid or not is_alive(pid) or not _works_in(pid, data):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].strip().isdecimal() else 0
    return Postmaster(pid, port, is_ready=len(lines) > 7 and lines[7].strip() == "ready")


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    if Path("/proc/self/stat").exists():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
        except (OSError, IndexError):
            return False
    answer = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.returncode == 0 and not answer.stdout.strip().startswith("Z")


def disarm_stale_lock(data: Path, user: ServiceUser) -> None:
    """Make a dead server's postmaster.pid harmless. Call it with the lock of the home held.

    PostgreSQL refuses to start while any process has the id in that file, be it a zombie or a stranger that got the
    number later. The id is replaced by one that no process can have; the rest stays, because the line on shared
    memory still keeps a new server away from backends that outlived the old one. An unreadable file is removed.
    """
    lines = _lock_lines(data)
    if read_postmaster(data) is not None or not (data / "postmaster.pid").exists():
        return
    if not _pid(lines):
        (data / "postmaster.pid").unlink()
    elif Path("/proc/self/cwd").exists():
        write_file(data / "postmaster.pid", "\n".join([str(_NO_PROCESS), *lines[1:]]) + "\n", 0o600, user)


def _lock_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _pid(lines: list[str]) -> int:
    try:
        return abs(int(lines[0]))  # negative: a server in single-user mode
    except (ValueError, IndexError):
        return 0


def _works_in(pid: int, data: Path) -> bool:
    """A postmaster's working directory is its data directory; after a crash its id may belong to somebody else."""
    if not Path("/proc/self/cwd").exists():
        return True  # no such view here (macOS): PostgreSQL's own check of the lock file remains
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except OSError:
        return False
