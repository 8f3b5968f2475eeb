"""Shapes of secrets: how a value that must never be stored or printed is recognised.

Belongs here: patterns of private keys, seed phrases and URLs with credentials, and the one function that hides them.
Must not be here: reading of real secrets (they come from the environment, elsewhere).
"""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

HIDDEN = "(hidden)"
_SHOWN_LENGTH = 80
# The shortest secret of these shapes is a Bitcoin WIF key (51 characters) or a URL with credentials.
# A 32-byte key has the same shape as a transaction hash or a block hash: the shape alone decides.
_KEY = r"(?:^|[^0-9A-Za-z])(?:0[xX])?(?:[0-9a-fA-F]{128}|[0-9a-fA-F]{64})(?:$|[^0-9A-Za-z])"
_WIF = r"(?:^|[^0-9A-Za-z])[5KL][1-9A-HJ-NP-Za-km-z]{50,51}(?:$|[^0-9A-Za-z])"
_EXTENDED_KEY = r"[xyztuv]prv[1-9A-HJ-NP-Za-km-z]{50,}"
# 64 bytes in base58: a Solana key pair. A Solana signature, a transaction's id, has the same shape.
_KEY_PAIR = r"(?:^|[^0-9A-Za-z])[1-9A-HJ-NP-Za-km-z]{86,88}(?:$|[^0-9A-Za-z])"
_PEM = r"-----BEGIN [A-Z ]*PRIVATE KEY"
_URL = r"[A-Za-z][A-Za-z0-9+.\-]*://[^/\s@]+@"

KEY_PATTERN = f"{_KEY}|{_WIF}|{_EXTENDED_KEY}|{_KEY_PAIR}|{_PEM}"
URL_PATTERN = _URL
# Polars' regex engine has no look-around; these patterns need none. Twelve words or more may be a seed phrase.
MANY_WORDS_PATTERN = r"(?:[A-Za-z]{3,8}[\s,;]+){11}[A-Za-z]{3,8}"

_KEYS = re.compile(KEY_PATTERN)
_URLS = re.compile(URL_PATTERN)
_WORD_RUNS = re.compile(r"(?:(?<![A-Za-z])[A-Za-z]{3,8}(?![A-Za-z])[\s,;\"'\[\]\-#]*){12,}")
_WORDS = re.compile(r"[A-Za-z]{3,8}")


def secret_kind(text: str) -> str | None:
    """Say what kind of secret a text holds.

    Args:
        text: any value as written by a person.

    Returns:
        `private key`, `seed phrase`, `URL with credentials`, or None.
    """
    return next((kind for kind, _ in find_secrets(text)), None)


def find_secrets(text: str) -> list[tuple[str, int]]:
    """Find every secret in a text.

    Returns:
        (kind, offset of its first character) in no particular order.
    """
    found = [("private key", _start(match)) for match in _KEYS.finditer(text)]
    found += [("URL with credentials", match.start()) for match in _URLS.finditer(text)]
    for run in _WORD_RUNS.finditer(text):
        offset = _seed_phrase_offset(run.group())
        if offset is not None:
            found.append(("seed phrase", run.start() + offset))
    return found


def shown(value: str | None) -> str:
    """Render a value for a message: quoted, at most 80 characters, hidden when it looks like a secret."""
    if value is None:
        return "nothing"
    if value == HIDDEN or secret_kind(value):
        return HIDDEN
    cut = value if len(value) <= _SHOWN_LENGTH else value[:_SHOWN_LENGTH] + "…"
    return '"' + cut.replace("\n", "\\n").replace("\r", "\\r") + '"'


def _start(match: re.Match[str]) -> int:
    """The pattern may begin with the character before the key."""
    first = match.group()[0]
    return match.start() + (0 if first.isalnum() or first == "-" else 1)


def _seed_phrase_offset(run: str) -> int | None:
    """Twelve BIP-39 words in a row are a seed phrase; English prose has `the`, `and`, `of`, which BIP-39 has not."""
    words = _bip39_words()
    streak: list[int] = []
    for match in _WORDS.finditer(run):
        # Without the word list every long run counts: better to refuse a sentence than to store a seed.
        if not words or match.group().lower() in words:
            streak.append(match.start())
            if len(streak) >= 12:
                return streak[0]
        else:
            streak = []
    return None


@cache
def _bip39_words() -> frozenset[str]:
    """The English BIP-39 list, as it comes with eth-account; its package is not imported (0.5 s)."""
    spec = find_spec("eth_account")
    if spec is None or spec.origin is None:
        return frozenset()
    path = Path(spec.origin).parent / "hdaccount" / "wordlist" / "english.txt"
    return frozenset(path.read_text(encoding="utf-8").split()) if path.is_file() else frozenset()
