"""What the embedded PostgreSQL is told at each start: its port and its settings.

Belongs here: numbers and their reasons. Must not be here: processes and files (embedded_postgres).
"""

import hashlib
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from orchestration.server_place import EmbeddedPostgresError

# below the ranges from which Linux (32768) and macOS (49152) take the ports of outgoing connections: one of those
# would sit on our port at a restart
FIRST_PORT, PORT_COUNT = 20000, 10000
_MIB = 2**20


def choose_port(home: Path, preferred: int | None) -> int:
    """A port of 127.0.0.1 on which nobody listens: `preferred`, or the next free one from a start of this home's own.

    Raises:
        EmbeddedPostgresError: every port is taken.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    start = int(hashlib.sha256(str(home).encode()).hexdigest()[:8], 16)
    for step in range(PORT_COUNT):
        port = FIRST_PORT + (start + step) % PORT_COUNT
        if is_free(port):
            return port
    raise EmbeddedPostgresError(
        f"No free port on 127.0.0.1 between {FIRST_PORT} and {FIRST_PORT + PORT_COUNT - 1}. Free one, or set "
        "HOLDFAST_DATABASE_URL to a PostgreSQL server of your own."
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL: closed connections do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def server_configuration(port: int, extra: Mapping[str, str]) -> str:
    """The text of holdfast.conf. `extra` wins over ours, and ALTER SYSTEM over both."""
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        # TCP alone: a socket's path may have 107 bytes, and a home can lie deeper
        "unix_socket_directories": "",
        "max_connections": "100",
        # a machine shared with the pipeline itself
        "shared_buffers": f"{min(512, max(64, memory_mib // 16))}MB",
        "effective_cache_size": f"{max(256, memory_mib // 4)}MB",
        "work_mem": "64MB" if memory_mib >= 4096 else "16MB",
        "maintenance_work_mem": f"{min(256, max(64, memory_mib // 16))}MB",
        # bulk loads: few, spread checkpoints
        "max_wal_size": "4GB",
        "min_wal_size": "256MB",
        "checkpoint_timeout": "15min",
        # a publication replaces what lies on its pages: compressing their images took a third of its processor time
        # for a quarter less WAL
        "wal_compression": "off",
        "random_page_cost": "1.1",
        "jit": "off",
        # durable: what was published stays published
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "log_line_prefix": "%m [%p] %a ",
        "log_checkpoints": "off",
    }
    if _is_shared_memory_small():
        settings["dynamic_shared_memory_type"] = "mmap"
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in {**settings, **extra}.items()]
    return "# Rewritten by Holdfast at every start.\n" + "\n".join(lines) + "\n"


def _is_shared_memory_small() -> bool:
    """A container's /dev/shm often has 64 MB, and a parallel hash join then fails for lack of it."""
    try:
        return shutil.disk_usage("/dev/shm").total < 1024 * _MIB  # noqa: S108 (asked for its size only)
    except OSError:
        return False
