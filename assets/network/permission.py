"""Which sources may be asked: the one rule of HOLDFAST_SOURCES.

Belongs here: that rule. Must not be here: reading the environment (orchestration/settings.py), which names there are.
"""

from collections.abc import Collection


def is_allowed(source: str, allowed: Collection[str] | None) -> bool:
    """Whether a source may be asked.

    Args:
        source: in lower case; chains are all one, `chains`.
        allowed: those that HOLDFAST_SOURCES names; None: it leaves the choice open, empty: none.
    """
    return allowed is None or source in allowed
