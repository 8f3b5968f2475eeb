"""Runs of the real command `holdfast run` in a temporary home, with what they took: time, memory, progress.

Belongs here: starting the process and watching it. Not here: inputs (the benchmarks), what happens inside (_timed).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.server_place import find_folder

_PROGRESS = re.compile(r"^\s+(?P<at>[0-9.]+) s  (?P<stage>\S+)\s+(?P<text>.*)$")
_SAMPLE_SECONDS = 0.25
_MIB = 1024.0


@dataclass(frozen=True)
class Run:
    """One finished command: its JSON summary, wall seconds, (second, stage, text) of its progress, peaks in MiB."""

    summary: dict[str, Any]
    seconds: float
    progress: list[tuple[float, str, str]]
    process_peak: float
    server_peak: float
    spans: dict[str, float]


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A home of its own: its embedded server is stopped and everything deleted in the end."""
    with tempfile.TemporaryDirectory(prefix="holdfast-benchmark-") as name:
        # the embedded server may run as another user, who must be able to reach its folder
        Path(name).chmod(0o755)
        home = Path(name) / "home"
        try:
            yield home
        finally:
            subprocess.run([_holdfast(), "down"], env=_environment(home), check=False, capture_output=True)
            shutil.rmtree(home, ignore_errors=True)


def run_holdfast(home: Path, inputs: Path, as_of: str, *, with_spans: bool = False) -> Run:
    """`holdfast run` as a process of its own, watched from outside.

    Args:
        home: HOLDFAST_HOME.
        inputs: The inputs folder.
        as_of: Its --as-of.
        with_spans: Whether the process times its parts (benchmarks._timed), which slows it a little.
    """
    arguments = ["run", "--inputs", str(inputs), "--as-of", as_of]
    spans_path = home.parent / "spans.json"
    command = [_holdfast(), *arguments]
    if with_spans:
        command = [sys.executable, "-m", "benchmarks._timed", str(spans_path), *arguments]
    start = time.time()
    with subprocess.Popen(
        command, env=_environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        watch = _MemoryWatch(process.pid, home)
        stdout, stderr = process.communicate()
        watch.stop()
    end = time.time()
    if process.returncode:
        raise SystemExit(f"holdfast run ended with {process.returncode}:\n{stderr[-4000:]}")
    spans = _shares(json.loads(spans_path.read_text()), start, end) if with_spans else {}
    summary = json.loads(stdout.splitlines()[-1])
    return Run(summary, end - start, progress_of(stderr), watch.process_peak, watch.server_peak, spans)


def progress_of(stderr: str) -> list[tuple[float, str, str]]:
    """(second, stage, text) of what a run said."""
    matches = filter(None, map(_PROGRESS.match, stderr.splitlines()))
    return [(float(match["at"]), match["stage"], match["text"]) for match in matches]


def stage_seconds(run: Run) -> list[tuple[str, float, str]]:
    """(stage, seconds, text) of a run."""
    return stages_of(run.progress)


def stages_of(progress: list[tuple[float, str, str]]) -> list[tuple[str, float, str]]:
    """(stage, seconds, text): a progress line is said when its stage ends, so it begins where the line before did."""
    rows, before = [], 0.0
    for at, stage, text in progress:
        rows.append((stage, at - before, text))
        before = at
    return rows


def machine() -> str:
    """Cores, memory and the load that is there already: a figure without them says nothing."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, load average before: {os.getloadavg()[0]:.1f}"


def peak_memory(pid: int) -> float:
    """The most memory that a process has had, in MiB; 0 once it is gone and on systems without /proc."""
    return _status(pid).get("VmHWM", 0.0)


def _holdfast() -> str:
    return str(Path(sys.executable).with_name("holdfast"))


def _environment(home: Path) -> dict[str, str]:
    dropped = ("HOLDFAST_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    # compiled modules of its own: the first command compiles, as after an install, the next ones find them
    return kept | {
        "HOLDFAST_HOME": str(home),
        "HOLDFAST_SOURCES": "none",
        "PYTHONPYCACHEPREFIX": str(home.parent / "bytecode"),
        "DO_NOT_TRACK": "1",
    }


def _shares(spans: dict[str, list[list[float]]], start: float, end: float) -> dict[str, float]:
    """Seconds of each kind of work, in the order given: where two overlap, the first kind has it; then the rest."""
    taken: list[tuple[float, float]] = []
    shares, before = {}, 0.0
    for kind, intervals in spans.items():
        taken = _union([*taken, *((max(a, start), min(b, end)) for a, b in intervals)])
        covered = sum(b - a for a, b in taken)
        shares[kind] = covered - before
        before = covered
    return shares | {"rest": end - start - before}


def _union(intervals: list[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        elif last > first:
            merged.append((first, last))
    return merged


class _MemoryWatch:
    """Peaks of a process and of its home's server, from /proc; 0 on systems without one.

    The server's is the anonymous memory of all its processes at one time, and its shared memory once.
    """

    def __init__(self, pid: int, home: Path) -> None:
        self.process_peak = self.server_peak = 0.0
        self._pid, self._home, self._is_over = pid, home, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_SAMPLE_SECONDS):
            self.process_peak = max(self.process_peak, peak_memory(self._pid))
            members = [_status(pid) for pid in self._server_pids()]
            anonymous = sum(member.get("RssAnon", 0.0) for member in members)
            shared = max((member.get("RssShmem", 0.0) for member in members), default=0.0)
            self.server_peak = max(self.server_peak, anonymous + shared)

    def _server_pids(self) -> list[int]:
        try:
            postmaster = int((find_folder(self._home) / "data" / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        except (OSError, ValueError, IndexError):
            return []
        return [postmaster, *map(int, children)]


def _status(pid: int) -> dict[str, float]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: float(value.split()[0]) / _MIB for name, value in pairs}
