"""Which format a file has.

Belongs here: the choice among the formats, and the error that lists them. Must not be here: any format.
"""

from assets.importers.csv_records import header_of
from assets.importers.model import Format, Formats, SourceFile
from assets.registry.identifiers import suggestion
from assets.registry.secret_shapes import shown


class UnknownFormatError(ValueError):
    """No format, or more than one, recognises a file; the message lists what there is and what the file begins with."""


def detect(source: SourceFile, formats: Formats, name: str | None = None) -> Format:
    """Find the format of a file by its header.

    Args:
        source: the file.
        formats: those that are known.
        name: only formats of this name are asked; None = all.

    Raises:
        UnknownFormatError: none recognises it, or several do, or no format has this name.
    """
    if name is not None and all(known.name != name for known in formats):
        names = tuple(dict.fromkeys(known.name for known in formats))
        near = suggestion(name, names)
        raise UnknownFormatError(f"--format {name}: no such format; {near + ' ' if near else ''}{_known(formats)}")
    asked = [known for known in formats if name in (None, known.name)]
    found = [known for known in asked if known.recognises(source)]
    if len(found) == 1:
        return found[0]
    if not found:
        what = f"is no {asked[0].title}" if name else "has the layout of no known format"
        raise UnknownFormatError(f"{source.path} {what}. It begins with: {_beginning(source)}. {_known(formats)}")
    listed = ", ".join(f"{known.name} ({known.version})" for known in found)
    raise UnknownFormatError(f"{source.path} could be any of {listed}: choose one with --format NAME")


def _beginning(source: SourceFile) -> str:
    if source.text.lstrip().startswith(("{", "[", "<")):
        return shown(" ".join(source.text[:400].split()))
    header, _ = header_of(source.text)
    return ", ".join(shown(name) for name in header[:30])


def _known(formats: Formats) -> str:
    listed = "; ".join(f"{known.name} ({known.title}, {known.version})" for known in formats)
    return f"Known formats: {listed}"
