"""Ids of rows whose source gives none.

Belongs here: the id by content. Must not be here: comparing rows with those that are there already (importing).
"""

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

_SEPARATOR = "\x1f"


class ContentIds:
    """Gives each record an id by what it says and how many equal ones came before it in its file.

    Overlapping exports give the same ids, as long as a product exports whole days: equal records are of one moment,
    so an export holds all of them or none.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._seen: Counter[str] = Counter()

    def next(self, content: Iterable[str], side: str = "") -> str:
        """The id of one more record.

        Args:
            content: what identifies it, in a fixed order.
            side: records that tell one event from different sides count separately and so share their ids.
        """
        digest = sha256(_SEPARATOR.join(content).encode()).hexdigest()[:20]
        occurrence = self._seen[digest + side]
        self._seen[digest + side] += 1
        return f"{self._prefix}-{digest}" + (f"-{occurrence + 1}" if occurrence else "")
