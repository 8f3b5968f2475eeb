"""The inputs folder: its layout, its files read together, its fingerprint.

Belongs here: finding files, reading each once, and all their problems at once. Must not be here: rules of any file,
the database.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import polars as pl

from assets.registry.csv_files import CsvFiles, read_csv_files
from assets.registry.groups import known_groups
from assets.registry.identifiers import suggestion
from assets.registry.instruments_csv import INSTRUMENT_COLUMNS, read_instruments
from assets.registry.model import KnownPortfolios, PortfoliosFile, RiskScore, Scenario
from assets.registry.portfolios_yaml import FILE as PORTFOLIOS_FILE
from assets.registry.portfolios_yaml import read_portfolios
from assets.registry.problems import InputProblems, Problem
from assets.registry.references import undeclared_in_portfolios
from assets.registry.risk_scores_yaml import FILE as RISK_SCORES_FILE
from assets.registry.risk_scores_yaml import read_risk_scores
from assets.registry.scenarios_yaml import FILE as SCENARIOS_FILE
from assets.registry.scenarios_yaml import read_scenarios
from assets.registry.sources import Batch, Kind, Window

INSTRUMENTS_FILE = "instruments.csv"
CORPORATE_ACTIONS_FILE = "corporate_actions.csv"
KINDS: tuple[Kind, ...] = ("transactions", "prices", "balances", "corporate_actions")
_FOLDERS: tuple[Kind, ...] = ("transactions", "prices", "balances")
#: Tables that somebody meant to be read; notes and reports of rejected lines may lie beside the files.
_OTHER_TABLES = frozenset({".xlsx", ".xls", ".ods", ".numbers", ".tsv", ".json", ".parquet", ".gz", ".zip"})
_LAYOUT = "CSV files only as instruments.csv, corporate_actions.csv, transactions/*.csv, prices/*.csv, balances/*.csv"


@dataclass(frozen=True, slots=True)
class Inputs:
    """A folder without problems.

    Attributes:
        portfolios: content of portfolios.yaml.
        instruments: content of instruments.csv (`INSTRUMENT_COLUMNS.all`), no rows when there is no such file.
        scenarios: content of scenarios.yaml, none when there is no such file.
        risk_scores: content of risk_scores.yaml, none when there is no such file.
        batches: one per CSV file of observations, in the order of kind and path.
        fingerprint: sha256 hex over every file's path and content; equal folders have equal fingerprints.
    """

    portfolios: PortfoliosFile
    instruments: pl.DataFrame
    scenarios: tuple[Scenario, ...]
    risk_scores: tuple[RiskScore, ...]
    batches: tuple[Batch, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files of a folder as a source: all of them, whatever the window, since the folder is a state."""

    inputs: Inputs
    name: str = "file"
    kinds: tuple[Kind, ...] = KINDS

    def fetch(self, window: Window) -> Iterable[Batch]:
        """Give the batches; what is later than the window is kept and waits."""
        del window
        return self.inputs.batches


def read_inputs(folder: Path, now: datetime) -> Inputs:
    """Read and check a whole inputs folder; writes nothing.

    Args:
        folder: the folder.
        now: the clock, with a zone; tells which prices are of the future.

    Raises:
        InputProblems: anything cannot be read or contradicts its schema; carries all problems of all files.
    """
    inputs, problems = _read(folder, now)
    if inputs is None:
        raise InputProblems(problems)
    return inputs


def validate(folder: Path, now: datetime) -> list[Problem]:
    """Check a whole inputs folder and give every problem, ordered by file and line; none when it can be run."""
    _, problems = _read(folder, now)
    return InputProblems(problems).problems


@dataclass(slots=True)
class _Files:
    """Bytes by path, as found."""

    documents: dict[str, bytes] = field(default_factory=dict)
    observations: dict[Kind, dict[str, bytes]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    problems: list[Problem] = field(default_factory=list)

    def hashes(self) -> dict[str, str]:
        every = dict(self.documents)
        for contents in self.observations.values():
            every |= contents
        return {path: sha256(data).hexdigest() for path, data in sorted(every.items())}


def _read(folder: Path, now: datetime) -> tuple[Inputs | None, list[Problem]]:
    files = _find(folder)
    problems = list(files.problems)
    instruments, declared, found = _instruments(files)
    problems += found
    groups = known_groups(None if declared is None else instruments)
    portfolios: PortfoliosFile | None = None
    known: KnownPortfolios | None = None
    if PORTFOLIOS_FILE in files.documents:
        portfolios, known, found = read_portfolios(files.documents[PORTFOLIOS_FILE], groups)
        problems += found
    scenarios: tuple[Scenario, ...] = ()
    if SCENARIOS_FILE in files.documents:
        scenarios, found = read_scenarios(files.documents[SCENARIOS_FILE], groups)
        problems += found
    risk_scores: tuple[RiskScore, ...] = ()
    if RISK_SCORES_FILE in files.documents:
        risk_scores, found = read_risk_scores(files.documents[RISK_SCORES_FILE], groups)
        problems += found
    csv_files = read_csv_files(files.observations, known, declared, now)
    problems += csv_files.problems
    if portfolios is not None and declared is not None:
        problems += undeclared_in_portfolios(portfolios, PORTFOLIOS_FILE, declared)
    if problems or portfolios is None:
        return None, problems
    hashes = files.hashes()
    fingerprint = sha256("".join(f"{path}\0{content}\n" for path, content in hashes.items()).encode()).hexdigest()
    batches = tuple(_batches(csv_files, hashes))
    return Inputs(portfolios, instruments, scenarios, risk_scores, batches, fingerprint), []


def _instruments(files: _Files) -> tuple[pl.DataFrame, frozenset[str] | None, list[Problem]]:
    """The frame, the declared ids (None when the file has problems), the problems."""
    empty = pl.DataFrame(schema=dict.fromkeys(INSTRUMENT_COLUMNS.all, pl.String))
    if INSTRUMENTS_FILE not in files.documents:
        return empty, frozenset(), []
    frame, problems = read_instruments(INSTRUMENTS_FILE, files.documents[INSTRUMENTS_FILE])
    if frame is None:
        return empty, None, problems
    return frame.select(INSTRUMENT_COLUMNS.all), frozenset(frame["instrument"]), problems


def _batches(csv_files: CsvFiles, hashes: dict[str, str]) -> Iterator[Batch]:
    for kind, frames in csv_files.rows.items():
        for path, rows in frames.items():
            yield Batch(kind, path, hashes[path], rows, csv_files.quarantined[path])


def _find(folder: Path) -> _Files:
    files = _Files()
    if not folder.is_dir():
        files.problems.append(
            Problem(
                folder.name, None, None, None, f"a folder that holds {PORTFOLIOS_FILE}", "check the path of --inputs"
            )
        )
        return files
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "~")))
    for entry in entries:
        if entry.is_dir():
            _find_in(entry, files)
        elif entry.name in (PORTFOLIOS_FILE, INSTRUMENTS_FILE, SCENARIOS_FILE, RISK_SCORES_FILE):
            _load(entry, entry.name, files.documents, files.problems)
        elif entry.name == CORPORATE_ACTIONS_FILE:
            _load(entry, entry.name, files.observations["corporate_actions"], files.problems)
        elif entry.suffix.lower() == ".csv":
            files.problems.append(_misplaced(entry.name))
    if not (folder / PORTFOLIOS_FILE).exists():
        similar = [entry.name for entry in entries if entry.name.lower() in ("portfolios.yml", "portfolio.yaml")]
        remedy = f"rename {similar[0]}" if similar else "create it: README shows an example"
        files.problems.append(Problem(PORTFOLIOS_FILE, None, None, None, f"{PORTFOLIOS_FILE} in the folder", remedy))
    return files


def _find_in(subfolder: Path, files: _Files) -> None:
    name = subfolder.name
    if name not in _FOLDERS:
        near = suggestion(name, _FOLDERS)
        if near and any(entry.suffix.lower() == ".csv" for entry in subfolder.iterdir()):
            files.problems.append(Problem(f"{name}/", None, None, None, _LAYOUT, near))
        return
    kind = _FOLDERS[_FOLDERS.index(name)]
    for entry in sorted(subfolder.iterdir()):
        path = f"{name}/{entry.name}"
        if entry.name.startswith((".", "~")):
            continue
        if entry.is_dir():
            nested = sorted(entry.rglob("*.csv"))
            files.problems.extend(_misplaced(f"{path}/{found.relative_to(entry).as_posix()}") for found in nested)
        elif entry.suffix.lower() == ".csv":
            _load(entry, path, files.observations[kind], files.problems)
        elif entry.suffix.lower() in _OTHER_TABLES:
            remedy = "save it as CSV UTF-8, or take it out of the folder"
            files.problems.append(Problem(path, None, None, None, _LAYOUT, remedy))


def _misplaced(path: str) -> Problem:
    return Problem(path, None, None, None, _LAYOUT, "move the file, or take it out of the folder")


def _load(file: Path, path: str, into: dict[str, bytes], problems: list[Problem]) -> None:
    try:
        into[path] = file.read_bytes()
    except OSError as error:
        reason = error.strerror or "it cannot be opened"
        problems.append(Problem(path, None, None, None, f"a file that can be read ({reason})", "check its permissions"))
