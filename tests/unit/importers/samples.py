"""The samples under tests/data/importers, and imports of them into small inputs folders."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import yaml

from assets.importers.formats import FORMATS
from assets.importers.importing import Destination, plan_import
from assets.importers.model import SourceFile
from assets.importers.plans import FilePlan, describe
from assets.importers.symbols import ReviewedSymbols, read_mapping

SAMPLES = Path(__file__).parents[2] / "data" / "importers"
NOW = datetime(2024, 6, 1, tzinfo=UTC)


def inputs_folder(folder: Path, cash: str = "ledger", portfolio: str = "p") -> Path:
    """An inputs folder with one portfolio of the accounts `a` and `b`, and nothing else."""
    accounts = [{"id": name, "kind": "manual"} for name in ("a", "b")]
    entry = {"id": portfolio, "user_id": "u", "cash": cash, "accounts": accounts}
    folder.mkdir(parents=True, exist_ok=True)
    document = {"version": "1", "base_currency": "EUR", "portfolios": [entry]}
    (folder / "portfolios.yaml").write_text(yaml.safe_dump(document))
    return folder


def planned(folder: Path, *paths: Path, account: str = "a", maps: list[str] | None = None) -> list[FilePlan]:
    symbols = ReviewedSymbols(read_mapping(maps or []))
    return plan_import(paths, Destination(folder, "p", account), symbols, FORMATS, NOW)


def data_lines(source: SourceFile, unit: str) -> list[int]:
    """What a file holds, counted without any importer: entries of a list of JSON, records of a CSV."""
    if unit != "line":
        return list(range(1, len(json.loads(source.text)["activities"]) + 1))
    delimiter = max(",;", key=source.text.partition("\n")[0].count)
    reader, lines, before = csv.reader(source.text.splitlines(keepends=True), delimiter=delimiter), [], 0
    for fields in reader:
        if any(field.strip() for field in fields):
            lines.append(before + 1)
        before = reader.line_num
    return lines[1:]


def told(plan: FilePlan) -> str:
    """What an import leaves out, in the order of the lines."""
    unit = plan.format.unit
    lines = [(reject.line, f"rejected {describe(reject, unit)}") for reject in plan.rejects]
    lines += [(line, f"ignored {unit} {line}: {reason}") for line, reason in plan.ignored.items()]
    lines += [(known.line, f"known {unit} {known.line}: {known.place} {known.differences}") for known in plan.known]
    return "".join(f"{text}\n" for _, text in sorted(lines))
