"""Every fault of a remote server as one of eleven kinds, by one table.

Belongs here: the kinds, the table of rules (first match wins) and the one function that applies it to an HTTP status, a
body, an exception or a JSON-RPC error object. Must not be here: sockets, retries, waiting.

Secrets: a provider may echo the address it was called at, and the address holds the key. So a `Failure` never quotes
what came over the wire; its message is made of this module's own words, a status or code, and an exception's class.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

# Binance bans an address for 2 minutes to 3 days (binance-spot-api-docs, "IP limits"); nobody asks for longer
MAX_RETRY_AFTER_SECONDS = 3 * 86_400.0
_BAN_SECONDS = 120.0
_READ_CHARACTERS = 4_096
_ADDRESS = re.compile(r"[a-z][a-z0-9+.\-]*://\S*")


class Kind(StrEnum):
    """What went wrong, as far as it decides what to do next."""

    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    TIMEOUT = "timeout"
    SERVER = "server"
    NODE_LAG = "node_lag"
    WRONG_CHAIN = "wrong_chain"
    TOO_BIG = "too_big"
    AUTH_OR_GEO = "auth_or_geo"
    CALL_FAILED = "call_failed"
    PERMANENT = "permanent"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class _Policy:
    is_retryable_here: bool
    is_retryable_elsewhere: bool
    meaning: str


_POLICIES = {
    Kind.RATE_LIMITED: _Policy(True, True, "too many requests; wait, or add an endpoint"),
    Kind.QUOTA: _Policy(False, True, "the quota is used up; add an endpoint or raise the plan"),
    Kind.TIMEOUT: _Policy(True, True, "no answer in time"),
    Kind.SERVER: _Policy(True, True, "the server or the way to it failed"),
    Kind.NODE_LAG: _Policy(True, True, "the node does not have this block or its state"),
    Kind.WRONG_CHAIN: _Policy(False, True, "the endpoint serves another chain; correct its address"),
    Kind.TOO_BIG: _Policy(False, True, "the request or its answer is over a limit; ask for less at once"),
    Kind.AUTH_OR_GEO: _Policy(False, True, "access refused; check the key, the plan and where you are"),
    Kind.CALL_FAILED: _Policy(False, False, "the contract refused the call"),
    Kind.PERMANENT: _Policy(False, True, "the server does not serve this request; another may"),
    Kind.MALFORMED: _Policy(True, True, "the answer is not what was asked for"),
}


class MalformedResponseError(Exception):
    """An answer arrived and cannot be read: HTML, cut JSON, another shape. Carries no text of the server."""


class ResponseTooBigError(Exception):
    """An answer is larger than we take."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One fault, safe to store and show.

    Attributes:
        is_retryable_here: the same request may succeed at the same endpoint later.
        is_retryable_elsewhere: another endpoint may answer it.
        retry_after_seconds: how long the server wants to be left alone, counted from its answer; None: it did not say.
        message: our own words; holds no address, key or text of the server.
    """

    kind: Kind
    is_retryable_here: bool
    is_retryable_elsewhere: bool
    retry_after_seconds: float | None
    message: str

    @classmethod
    def of(cls, kind: Kind, detail: str = "", retry_after_seconds: float | None = None) -> "Failure":
        """A failure that the caller found itself; `detail` must hold nothing that came over the wire."""
        policy = _POLICIES[kind]
        message = f"{detail}: {policy.meaning}" if detail else policy.meaning
        return cls(kind, policy.is_retryable_here, policy.is_retryable_elsewhere, retry_after_seconds, message)


@dataclass(frozen=True, slots=True)
class Rule:
    """Matches when each criterion that is given matches; of a criterion's values any will do.

    Attributes:
        texts: phrases, lower case, looked for in what the server or the exception says.
        codes: of a JSON-RPC error object.
        statuses: of HTTP.
        exceptions: names of classes, also of base classes, so that no library is imported for them.
        pause_seconds: Retry-After where the server gave none.
    """

    kind: Kind
    texts: tuple[str, ...] = ()
    codes: Collection[int] = ()
    statuses: Collection[int] = ()
    exceptions: tuple[str, ...] = ()
    pause_seconds: float | None = None


# Order matters. A revert reason is the contract's text, so an attacker's: it is recognised before any other phrase.
# Sources: [erpc] erpc/erpc architecture/evm/error_normalizer.go and util.go (IsMissingDataError); [alloy]
# alloy-rs/alloy json-rpc ErrorPayload::is_retry_err; [1474] EIP-1474; [agave] anza-xyz/agave
# rpc-client-api/src/custom_error.rs; [ankr] [blockvision] [quicknode] [binance] their error references.
RULES: tuple[Rule, ...] = (
    # found by ourselves while reading an answer (http.py)
    Rule(Kind.TOO_BIG, exceptions=("ResponseTooBigError",)),
    Rule(Kind.MALFORMED, exceptions=("MalformedResponseError",)),
    # geth: code 3 and "execution reverted"; parity, nethermind: "VM execution error"; hardhat, ganache: "VM
    # Exception"; the EVM's own aborts as geth words them [erpc]
    Rule(Kind.CALL_FAILED, codes=(3,)),
    Rule(Kind.CALL_FAILED, texts=(
        "execution reverted", "reverted", "revert opcode", "vm execution error", "vm exception", "evm error",
        "invalid opcode", "invalid jump", "stack underflow",
    )),
    # Binance's ban of an address that did not heed a 429 [binance]; its text is that of a 429, so it comes first
    Rule(Kind.RATE_LIMITED, statuses=(418,), pause_seconds=_BAN_SECONDS),
    # Infura -32005 (MetaMask/eth-json-rpc-infura#33), Alchemy's billing text, Ankr and others [erpc]; -32607
    # [blockvision]
    Rule(Kind.QUOTA, texts=(
        "daily request count exceeded", "monthly capacity limit", "reached the free tier", "exceeded the quota",
        "reached the quota", "quota exceeded", "call limit has been reached",
    )),
    # mainnet.base.org -32016 "over rate limit" (base/node#390); Infura "project ID request rate exceeded";
    # QuickNode -32007 "100/second request limit reached", -32012 "credits limited to 6000/sec" [alloy]; Alchemy
    # "compute units per second"; Binance -1003 "way too much request weight"; Tenderly -32005 "rate limit exceeded"
    Rule(Kind.RATE_LIMITED, texts=(
        "rate limit", "rate-limit", "ratelimit", "rate exceeded", "too many requests", "throttled",
        "request limit reached", "credits limited to", "requests limited to", "request weight",
        "compute units per second", "under too much load",
    )),
    # a full node keeps the state of 128 blocks (go-ethereum#20874); behind a load balancer the next node has not
    # seen the block yet (MetaMask/metamask-extension#7234); "beyond current head" is geth's eth_getLogs; anvil:
    # BlockOutOfRangeError. From "node is behind" on: Solana's -32016, -32005, -32004, -32014, -32001, -32007 [agave],
    # told by their words, because EIP-1474 gives two of the codes another meaning
    Rule(Kind.NODE_LAG, texts=(
        "header not found", "header for hash not found", "missing trie node", "unknown block", "block not found",
        "could not find block", "block is out of range", "blockoutofrange", "beyond current head",
        "historical state", "state is not available", "state not available", "height is not available",
        "cannot query unfinalized", "pruned", "resource not found", "not synced", "still syncing",
        "node is behind", "node is unhealthy", "minimum context slot", "block not available for slot",
        "block status not yet available", "cleaned up, does not exist on node", "was skipped, or missing",
    )),
    # "up to a 2K block range" (Alchemy), "query returned more than 10000 results" (Infura, also -32005), "batch too
    # large" and "response too large" (geth), "specify less number of address" [erpc]. Gas caps of eth_call differ
    # between nodes, and fewer calls at once need less: "out of gas" is a size, no verdict on the contract
    Rule(Kind.TOO_BIG, texts=(
        "block range", "range too large", "range is too large", "range limit", "max range", "exceeds the range",
        "response size", "response too large", "returned more than", "exceeds max results", "query exceeds limit",
        "limit the query to", "is limited to", "are limited to", "less number of address", "batch too large",
        "batch size", "entity too large", "content too large", "payload too large", "out of gas", "outofgas",
        "gas required exceeds", "gas limit",
    )),
    # 401 bodies of Ankr ("API key not found") and Infura ("invalid project id"); -32606 "Illegal Ip" [blockvision];
    # Binance 451 "restricted location"; CloudFront 403 "block access from your country", as Bybit answers
    Rule(Kind.AUTH_OR_GEO, texts=(
        "unauthorized", "unauthorised", "unauthenticated", "must be authenticated", "api key", "api-key", "apikey",
        "project id", "forbidden", "access denied", "permission denied", "not allowed to access", "not in whitelist",
        "illegal ip", "restricted location", "your country", "your region",
    )),
    # geth "the method x does not exist/is not available"; proxyd "rpc method is not whitelisted"; plans [erpc]
    Rule(Kind.PERMANENT, texts=(
        "method not found", "method not supported", "unsupported method", "does not exist/is not",
        "method is not whitelisted", "not included in your current plan", "on freetier",
        "excluded from account secondary indexes",  # [agave] -32010
    )),
    # geth "execution aborted (timeout = 5s)"; Go's "context deadline exceeded"; web servers
    Rule(Kind.TIMEOUT, texts=(
        "execution timeout", "execution aborted", "timed out", "request timeout", "gateway timeout",
        "deadline exceeded",
    )),
    # Alchemy puts HTTP's 429 in the error object; -32605 [blockvision]
    Rule(Kind.RATE_LIMITED, codes=(429, -32605)),
    Rule(Kind.QUOTA, codes=(-32005,)),  # "limit exceeded" [1474]; rates and sizes were told by their texts above
    Rule(Kind.PERMANENT, codes=(-32601, -32004)),  # method not found, not supported [1474]
    # JSON-RPC 2.0: parse error, invalid request, invalid params; ours are well formed, so it is this node's dialect
    Rule(Kind.PERMANENT, codes=(-32700, -32600, -32602)),
    # HTTP: RFC 9110, RFC 6585 (429), RFC 7725 (451); 52x are Cloudflare's
    Rule(Kind.RATE_LIMITED, statuses=(429,)),
    Rule(Kind.QUOTA, statuses=(402,)),
    Rule(Kind.QUOTA, texts=("limit exceeded",)),  # EIP-1474's text without its code
    Rule(Kind.AUTH_OR_GEO, statuses=(401, 403, 407, 451)),
    Rule(Kind.TOO_BIG, statuses=(413,)),
    Rule(Kind.TIMEOUT, statuses=(408, 504, 522, 524)),
    Rule(Kind.SERVER, statuses=(425, *range(500, 600))),
    Rule(Kind.PERMANENT, statuses=range(300, 500)),  # a redirect too: the body must not travel to another host
    # ccxt calls Binance's 429 DDoSProtection; yfinance raises YFRateLimitError
    Rule(Kind.RATE_LIMITED, exceptions=("RateLimitExceeded", "DDoSProtection", "YFRateLimitError")),
    Rule(Kind.AUTH_OR_GEO, exceptions=("AuthenticationError", "PermissionDenied")),  # ccxt
    Rule(Kind.MALFORMED, exceptions=("BadResponse", "JSONDecodeError")),  # ccxt; requests and json
    Rule(Kind.PERMANENT, exceptions=("BadRequest", "NotSupported", "InvalidURL")),  # ccxt; aiohttp and requests
    Rule(Kind.TIMEOUT, exceptions=("TimeoutError", "Timeout", "RequestTimeout")),  # asyncio, aiohttp; requests; ccxt
    Rule(Kind.PERMANENT, exceptions=("SSLCertVerificationError",)),  # never asked again without a check
)  # fmt: skip


def classify(
    what: "str | BaseException | Mapping[str, object]",
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Failure:
    """Name a fault. What no rule knows is `server`: asked again, never taken for an answer of a contract.

    Args:
        what: the body's text, an exception, or a JSON-RPC error object.
        status: of HTTP; taken from the exception where it carries one, as web3's and requests' do.
        headers: of the answer, for Retry-After.
        now: for a Retry-After that is a date, where the answer has no Date of its own.
    """
    code, retry_after = None, None
    if isinstance(what, BaseException):
        response = getattr(what, "response", None)  # requests
        found = getattr(what, "status", None) or getattr(response, "status_code", None)
        status = status or (found if isinstance(found, int) else None)
        headers = headers or getattr(what, "headers", None) or getattr(response, "headers", None)
        text, names = str(what), {base.__name__ for base in type(what).__mro__}
    elif isinstance(what, str):
        # a page's words, class names and scripts say nothing about the request
        text, names = "" if what.lstrip().startswith("<") else what, set()
    else:
        found, data = what.get("code"), what.get("data")
        code = found if isinstance(found, int) and not isinstance(found, bool) else None
        text = f"{what.get('message', '')} {data if isinstance(data, str) else ''}"  # parity tells a revert in data
        names, retry_after = set(), _backoff_seconds(data)
    # an address in the text may hold any word, so it must not decide
    text = " ".join(_ADDRESS.sub(" ", text[:_READ_CHARACTERS].lower()).split())
    rule, phrase = _first_match(text, code, status, names)
    if headers is not None and retry_after is None:
        retry_after = _retry_after_seconds(headers, now)
    origin = [f"HTTP {status}"] if status is not None and 0 < status < 1_000 else []
    origin += [f"JSON-RPC {code}"] if code is not None and abs(code) < 100_000 else []
    origin += [type(what).__name__] if isinstance(what, BaseException) else []
    origin += [f'"{phrase}"'] if phrase else []
    return Failure.of(rule.kind, ", ".join(origin), rule.pause_seconds if retry_after is None else retry_after)


def _first_match(text: str, code: int | None, status: int | None, names: set[str]) -> tuple[Rule, str]:
    for rule in RULES:
        phrase = next((phrase for phrase in rule.texts if phrase in text), "")
        if (
            (bool(phrase) or not rule.texts)
            and (code in rule.codes or not rule.codes)
            and (status in rule.statuses or not rule.statuses)
            and (not names.isdisjoint(rule.exceptions) or not rule.exceptions)
        ):
            return rule, phrase
    return Rule(Kind.SERVER), ""


def _backoff_seconds(data: object) -> float | None:
    """Infura says in the error's `data`, or its `rate`, how long to wait."""
    if not isinstance(data, Mapping):
        return None
    rate = data.get("rate", data)
    return _seconds(rate.get("backoff_seconds")) if isinstance(rate, Mapping) else None


def _retry_after_seconds(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """RFC 9110, 10.2.3: seconds or a date; a date is counted from the server's own clock, if it tells it."""
    lower = {name.lower(): value for name, value in headers.items()}
    value = lower.get("retry-after")
    if value is None:
        return None
    if (seconds := _seconds(value)) is not None:
        return seconds
    until, since = _date(value), _date(lower.get("date", "")) or now
    return None if until is None or since is None else _seconds((until - since).total_seconds())


def _seconds(value: object) -> float | None:
    """A number of seconds between 0 and `MAX_RETRY_AFTER_SECONDS`; None for what is no number."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
