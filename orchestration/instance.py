"""Dagster's instance: its home folder, and its storage in the product's own PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from assets.warehouse.database import connect
from orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

_STATEMENT_TIMEOUT_MILLISECONDS = 600_000
#: Of a run: its machine and process; the daemon looks whether it lives, the UI's "terminate" interrupts it.
PROCESS_TAG = "holdfast/process"
_CONFIGURATION = Path(__file__).with_name("dagster.yaml")


def prepare_instance(settings: Settings, url: str) -> Path:
    """Make Dagster's home, the schema of its storage, and the environment that names both; returns the home."""
    home = settings.home / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    target = home / "dagster.yaml"
    if not target.exists() or target.read_bytes() != _CONFIGURATION.read_bytes():
        shutil.copyfile(_CONFIGURATION, target)
    with connect(url, autocommit=True) as conn:
        conn.execute("create schema if not exists dagster")
    separator = "&" if "?" in url else "?"
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["HOLDFAST_DAGSTER_URL"] = f"{url}{separator}{urlencode({'options': '-csearch_path=dagster'})}"
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    # one insert for the outputs of a step: Dagster opens a connection for each write, about 8 ms apiece
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "200")
    return home


def open_instance(settings: Settings, url: str) -> DagsterInstance:
    """Dagster's instance over that home, for the one run of this process."""
    from dagster import DagsterInstance

    instance = DagsterInstance.from_config(str(prepare_instance(settings, url)))
    keep_connections(instance)
    return instance


def process_tag(process_id: int) -> str:
    """The tag's value for a process of this machine."""
    return f"{socket.gethostname()}:{process_id}"


def process_of(tag: str | None) -> int | None:
    """The process that a tag names; None: there is none, or it is another machine's."""
    machine, _, process_id = (tag or "").rpartition(":")
    return int(process_id) if machine == socket.gethostname() else None


def keep_connections(instance: DagsterInstance) -> None:
    """Dagster's own way to keep connections open; without it a run makes some 1,200 of them, one for each event."""
    instance.optimize_for_webserver(
        statement_timeout=_STATEMENT_TIMEOUT_MILLISECONDS, pool_recycle=3600, max_overflow=4
    )
