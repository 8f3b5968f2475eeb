"""The canonical CSV itself: files that another program made for Holdfast, or that Holdfast exported.

Belongs here: its header and the passing on of its columns. Must not be here: the rules of its values, which are those
of every inputs folder and are applied to all formats alike (importing).
"""

from assets.importers.csv_records import header_of, read_table
from assets.importers.model import COLUMNS, CanonicalRow, Format, Parsed, Reject, SourceFile, Symbols

_NEEDED = frozenset({"executed_at", "type", "instrument", "quantity"})
_KNOWN = frozenset({*COLUMNS, "portfolio", "account"})


def _recognises(source: SourceFile) -> bool:
    names, _ = header_of(source.text)
    return set(names) >= _NEEDED and set(names) <= _KNOWN


def _parse(source: SourceFile, symbols: Symbols) -> Parsed:
    del symbols  # its columns hold instrument ids already
    table = read_table(source.text)
    parsed = Parsed()
    for record in table.records:
        if record.is_ragged:
            found = f"{len(record.fields)} values"
            reason = f"expected {len(table.header)} values as in the header"
            parsed.rejects.append(Reject(record.line, "", found, reason, "put a value that holds a comma in quotes"))
            continue
        parsed.rows.append(CanonicalRow.of(record.line, record.values, record.values.get("account", "")))
    return parsed


CANONICAL = Format("canonical", "1", "canonical CSV of Holdfast", _recognises, _parse)
