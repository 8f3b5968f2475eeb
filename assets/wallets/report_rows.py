"""What chains said, as rows of the database.

Belongs here: which cells are kept, amounts per unit, texts that a table takes. Must not be here: SQL (store).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

from assets.wallets.identity import instrument_id
from assets.wallets.model import Asset, Cell, ChainReport, Position, Status
from assets.wallets.planning import Plan

_PER_UNIT = Decimal(1).scaleb(-36)


def read_row(report: ChainReport, run_id: str, cutoff_at: datetime, turns: int) -> Sequence[Any]:
    """The row of raw.chain_reads; `counts_at` is the block's time, at the latest the run's cut-off."""
    block, counts = report.block, {status: 0 for status in Status}
    for cell in report.cells:
        counts[cell.status] += 1
    at = report.asked_at if block is None else min(block.timestamp, report.asked_at)
    return (
        run_id,
        report.chain,
        turns + (block is not None and report.failure is None),
        report.asked_at,
        block and block.number,
        block and block.hash,
        block and block.timestamp,
        min(at, cutoff_at),
        report.endpoint,
        len(report.tries),
        report.seconds,
        counts[Status.OK],
        counts[Status.ZERO],
        counts[Status.FAILED],
        counts[Status.UNSUPPORTED],
        counts[Status.QUARANTINED],
        len(report.positions),
        report.is_reorganised,
        report.failure or (None if block else "no block"),
        "; ".join(report.problems) or None,
    )


def cell_rows(reports: Iterable[ChainReport], plan: Plan) -> Iterator[Sequence[Any]]:
    """What is kept: amounts above zero, asked for or found, and of what is named or was held whatever became of it.

    After a reorganisation what was held is known only in the database, so all goes there.
    """
    for report in reports:
        named, held = plan.named.get(report.chain, frozenset()), plan.held.get(report.chain, frozenset())
        name = _memo(instrument_id)
        receipts = {(position.wallet, position.instrument_id) for position in report.positions}
        for cell in (*report.cells, *report.found):
            instrument = name(cell.asset)
            key = (cell.wallet, instrument)
            is_kept = instrument in named or key in held
            if (cell.status is Status.OK or is_kept or report.is_reorganised) and key not in receipts:
                yield report.chain, cell.wallet, instrument, cell.status.value, cell.amount, _shown(cell), is_kept
        for (wallet, instrument), (units, reason) in _units(report.positions).items():
            status = "failed" if units is None else "ok" if units else "zero"
            yield report.chain, wallet, instrument, status, units, reason, instrument in named


def unread_rows(reports: Iterable[ChainReport]) -> Iterator[Sequence[Any]]:
    """Cells that chains which answered did not tell: time ran out, or their servers failed for them alone."""
    for report in reports:
        name = _memo(instrument_id)
        for cell in report.cells:
            if cell.status is Status.FAILED:
                yield report.chain, cell.wallet, name(cell.asset), report.asked_at


def _memo(function: Callable[[Asset], str]) -> Callable[[Asset], str]:
    """The same few assets come with every wallet; hashing one costs less than making its id."""
    known: dict[Asset, str] = {}

    def of(asset: Asset) -> str:
        found = known.get(asset)
        if found is None:
            found = known[asset] = function(asset)
        return found

    return of


def _shown(cell: Cell) -> str | None:
    return cell.reason[:500] if cell.reason else None


def _units(positions: Iterable[Position]) -> dict[tuple[str, str], tuple[int | None, str | None]]:
    """Units by wallet and instrument, what is borrowed negative; None and the reason where not even they were read."""
    units: dict[tuple[str, str], tuple[int | None, str | None]] = {}
    for position in positions:
        key = (position.wallet, position.instrument_id)
        if _is_unread(position):
            units[key] = (None, position.reason and position.reason[:500])
        else:
            units[key] = (-abs(position.units) if position.asset_type == "borrowed" else position.units, None)
    return units


def _is_unread(position: Position) -> bool:
    """assets/wallets/positions/reading.py says how a position tells it."""
    return position.units == 0 and position.reason is not None


def fact_rows(reports: Iterable[ChainReport]) -> Iterator[Sequence[Any]]:
    """What tokens and receipts say of themselves; a position that was not read says nothing."""
    for report in reports:
        for fact in report.facts:
            yield (
                instrument_id(fact.asset), report.chain, fact.asset.address, fact.decimals, _text(fact.symbol),
                _text(fact.name), None, None, None, False,
            )  # fmt: skip
        read = (position for position in report.positions if not _is_unread(position))
        for position in {position.instrument_id: position for position in read}.values():
            yield (
                position.instrument_id, report.chain, None, position.decimals, None, None, position.asset_type,
                position.protocol, position.category, True,
            )  # fmt: skip


def _text(text: str | None) -> str | None:
    """What a contract calls itself: PostgreSQL refuses zero bytes, and nobody reads more than this."""
    return text.replace("\0", "").strip()[:100] or None if text else None


def component_rows(reports: Iterable[ChainReport]) -> Iterator[Sequence[Any]]:
    """Units of each component for one unit of a receipt, from the wallet that has most of it: it rounds least."""
    for report in reports:
        largest: dict[str, Position] = {}
        for position in report.positions:
            known = largest.get(position.instrument_id)
            if position.components and position.units and (known is None or abs(position.units) > abs(known.units)):
                largest[position.instrument_id] = position
        for instrument, position in largest.items():
            if all(component.decimals is not None for component in position.components):
                for component_id, per_unit in _per_unit(position).items():
                    yield report.chain, instrument, component_id, per_unit


def _per_unit(position: Position) -> Mapping[str, Decimal]:
    units = -abs(position.units) if position.asset_type == "borrowed" else position.units
    found: dict[str, Decimal] = {}
    with localcontext() as context:
        context.prec = 120
        for component in position.components:
            name = instrument_id(component.asset)
            amount = Decimal(component.amount).scaleb(position.decimals - (component.decimals or 0)) / units
            found[name] = found.get(name, Decimal(0)) + amount
        return {name: per_unit.quantize(_PER_UNIT) for name, per_unit in found.items()}
