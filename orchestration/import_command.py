"""`holdfast import`: exports of other products into the inputs folder. Thin over assets/importers."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.command_options import InputsOption, counted, fail, inputs_folder
from orchestration.settings import load_settings

if TYPE_CHECKING:
    from assets.importers.plans import FilePlan

#: Rows of a file that are shown, of which there may be a million.
_SHOWN_ROWS = 8
#: Lines of one reason or one kind that are named one by one.
_SHOWN_LINES = 10
#: Reasons that differ in it alone are one: half of the lines of a ledger of Kraken are joined with another one.
_LINE_NUMBER = re.compile(r"\bline \d+")
_SHOWN_COLUMNS = ("executed_at", "type", "instrument", "quantity", "price", "amount", "currency", "fee", "tax")


def import_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Exports of other products.")],
    portfolio: Annotated[str, typer.Option(help="Id of the portfolio in portfolios.yaml.")],
    account: Annotated[str, typer.Option(help="Id of the portfolio's account that the rows belong to.")],
    inputs: InputsOption = None,
    format_: Annotated[str | None, typer.Option("--format", help="Format by name; default: told by the file.")] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="SYMBOL=INSTRUMENT", help="What a symbol means; repeatable.")
    ] = None,
    from_account: Annotated[
        str | None, typer.Option(help="Take only the rows of this account of the source, by its name there.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
    accept_rejects: Annotated[
        bool, typer.Option("--accept-rejects", help="Write what can be taken although lines are rejected.")
    ] = False,
) -> None:
    """Take exports of other products into the inputs folder; only what is new is added.

    Exit 0: every line was taken, known, or ignored for a reason that is shown. 2: a file is unreadable or unknown, or
    lines were rejected (then nothing is written, unless --accept-rejects), or nothing could be taken.
    """
    from assets.importers.detect import UnknownFormatError
    from assets.importers.formats import FORMATS
    from assets.importers.importing import Destination, ImportProblemError, plan_import
    from assets.importers.plans import write_plans
    from assets.importers.source_files import SourceFileError
    from assets.importers.symbols import MappingError, ReviewedSymbols, read_mapping
    from assets.registry.problems import InputProblems

    folder = inputs_folder(load_settings(), inputs)
    destination = Destination(folder, portfolio, account, from_account)
    try:
        symbols = ReviewedSymbols(read_mapping(mapping or []))
        plans = plan_import(files, destination, symbols, FORMATS, datetime.now(UTC), format_)
    except (SourceFileError, UnknownFormatError, ImportProblemError, MappingError) as error:
        fail(str(error), 2)
    except InputProblems as error:
        print(error, file=sys.stderr)
        fail(f"{counted(len(error.problems), 'problem')} in {folder}: mend them before importing into it", 2)
    for plan in plans:
        _print_plan(plan, from_account)
    rejected = sum(len(plan.rejects) for plan in plans)
    new = sum(len(plan.rows) for plan in plans)
    is_written = not dry_run and (accept_rejects or not rejected)
    for path in write_plans(plans, folder) if is_written else ():
        print(f"wrote {path}")
    is_left = any(plan.ignored or plan.elsewhere for plan in plans) and not rejected
    is_nothing = not (new or is_left or any(plan.known for plan in plans))
    if rejected and not accept_rejects:
        print(f"{rejected} rejected: nothing was written. Mend them, or take the rest with --accept-rejects")
    elif dry_run:
        print(f"dry run: nothing was written; {new} rows would be")
    elif not new:
        print("nothing new: nothing was written")
    raise typer.Exit(2 if is_nothing or (rejected and not accept_rejects) else 0)


def _print_plan(plan: FilePlan, from_account: str | None) -> None:
    from assets.importers.plans import describe

    unit = plan.format.unit
    print(f"{plan.path}: {plan.format.title} ({plan.format.name}, version {plan.format.version})")
    counts = [
        (len(plan.rows), "new"), (len(plan.known), "already there"), (len(plan.rejects), "rejected"),
        (len(plan.ignored), "ignored"), (len(plan.elsewhere), "of other accounts"),
    ]  # fmt: skip
    print("  " + ", ".join(f"{count} {what}" for count, what in counts if count or what in ("new", "rejected")))
    named = {name: count for name, count in plan.accounts.items() if name}
    if len(named) > 1 and from_account is None:
        listed = ", ".join(f"{name} ({count})" for name, count in named.items())
        print(f"  rows of {len(named)} accounts: {listed}; for one at a time: --from-account NAME")
    _print_rows(plan)
    for reject in plan.rejects:
        print(f"  rejected {describe(reject, unit)}")
    for known in [known for known in plan.known if known.differences]:
        print(f"  kept as it stands at {known.place}: {unit} {known.line} differs: {known.differences}")
    by_reason: dict[str, list[int]] = defaultdict(list)
    for line, reason in plan.ignored.items():
        by_reason[_LINE_NUMBER.sub("another line", reason)].append(line)
    for reason, lines in by_reason.items():
        print(f"  ignored {_lines(lines, unit)}: {plan.ignored[lines[0]] if len(lines) == 1 else reason}")
    same = [known.line for known in plan.known if not known.differences]
    if same:
        print(f"  already there: {_lines(same, unit)}")


def _print_rows(plan: FilePlan) -> None:
    """The first rows as a table of plain text, columns without any value left out."""
    shown = plan.values(_SHOWN_ROWS)
    columns = [name for name in _SHOWN_COLUMNS if any(values.get(name) for values in shown)]
    widths = [max(len(name), *(len(values.get(name, "")) for values in shown)) for name in columns]
    for cells in [columns, *([values.get(name, "") for name in columns] for values in shown)] if shown else []:
        print("    " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    if len(plan.rows) > len(shown):
        print(f"    and {len(plan.rows) - len(shown)} more")


def _lines(lines: list[int], unit: str) -> str:
    listed = ", ".join(map(str, lines[:_SHOWN_LINES]))
    more = f" and {len(lines) - _SHOWN_LINES} more" if len(lines) > _SHOWN_LINES else ""
    return f"{unit} {listed}{more}"
