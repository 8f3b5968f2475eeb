"""Files of other products as text.

Belongs here: opening, encodings, and the error for what is no text. Must not be here: any format.
"""

import codecs
from pathlib import Path

from assets.importers.model import SourceFile

#: Larger than any export seen. A line takes 1.1 to 2.3 KB while it is imported, so two million short lines, the most
#: that fit, take 2.3 GB; a wrong file is told before it fills the memory.
MAXIMUM_BYTES = 128 * 1024 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


#: Archives and workbooks (xlsx, ods) alike.
_ZIP = b"PK\x03\x04"


class SourceFileError(ValueError):
    """A file that cannot be read as text; the message names it and what to do."""


def read_source(path: Path) -> SourceFile:
    """Read a file: UTF-8, with or without its mark, or UTF-16 with one.

    Raises:
        SourceFileError: it cannot be opened, is too large, empty, or no text of these encodings.
    """
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise SourceFileError(f"{path} is larger than {MAXIMUM_BYTES >> 20} MB; export a shorter period")
        data = path.read_bytes()
    except OSError as error:
        raise SourceFileError(f"{path} cannot be read ({error.strerror}); check its name and permissions") from error
    if data.startswith(_ZIP):
        raise SourceFileError(f"{path} is an archive or a workbook, no text file; unpack it, or save it as CSV UTF-8")
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    mark = next((mark for mark, _ in _MARKS if data.startswith(mark)), b"")
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceFileError(
            f"{path}:{line} is no {encoding.upper()} text; export it again, or save it as CSV UTF-8"
        ) from error
    if "\x00" in text:
        raise SourceFileError(f"{path} holds NUL characters, so it is no text file; unpack it, or export it as CSV")
    if not text.strip():
        raise SourceFileError(f"{path} is empty; export it again")
    return SourceFile(path, text)
