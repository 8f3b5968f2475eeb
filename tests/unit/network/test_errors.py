from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.network.errors import (
    MAX_RETRY_AFTER_SECONDS,
    RULES,
    Failure,
    Kind,
    MalformedResponseError,
    ResponseTooBigError,
    Rule,
    classify,
)

# one case and more of each rule, as the servers word it: (JSON-RPC code, text, kind)
RPC_ERRORS = [
    (3, "anything", Kind.CALL_FAILED),
    (-32000, "execution reverted", Kind.CALL_FAILED),
    (-32000, "Execution Reverted: ERC20: rate limit exceeded", Kind.CALL_FAILED),
    (-32000, "execution reverted: header not found", Kind.CALL_FAILED),
    (-32000, "execution reverted: Unauthorized()", Kind.CALL_FAILED),
    (-32015, "VM execution error.", Kind.CALL_FAILED),
    (-32603, "VM Exception while processing transaction: revert", Kind.CALL_FAILED),
    (-32000, "EVM error: InvalidFEOpcode", Kind.CALL_FAILED),
    (-32000, "invalid opcode: INVALID", Kind.CALL_FAILED),
    (-32005, "daily request count exceeded, request rate limited", Kind.QUOTA),
    (-32005, "limit exceeded", Kind.QUOTA),
    (-32005, "", Kind.QUOTA),
    (-32000, "Limit exceeded", Kind.QUOTA),
    (429, "Monthly capacity limit exceeded. Visit https://dashboard.example/settings to upgrade", Kind.QUOTA),
    (-32607, "The call limit has been reached, please upgrade your subscription", Kind.QUOTA),
    (-32005, "project ID request rate exceeded", Kind.RATE_LIMITED),
    (-32005, "rate limit exceeded", Kind.RATE_LIMITED),
    (-32016, "over rate limit", Kind.RATE_LIMITED),
    (-32007, "100/second request limit reached - reduce calls per second or upgrade your account", Kind.RATE_LIMITED),
    (-32012, "credits limited to 6000/sec", Kind.RATE_LIMITED),
    (429, "Your app has exceeded its compute units per second capacity.", Kind.RATE_LIMITED),
    (429, "", Kind.RATE_LIMITED),
    (-32605, "", Kind.RATE_LIMITED),
    (-32000, "header not found", Kind.NODE_LAG),
    (-32000, "missing trie node 8b1604e0 (path ) state 0x8b is not available", Kind.NODE_LAG),
    (-32000, "required historical state unavailable (reexec=128)", Kind.NODE_LAG),
    (-32602, "Unknown block", Kind.NODE_LAG),
    (-32016, "Minimum context slot has not been reached", Kind.NODE_LAG),
    (-32005, "Node is behind by 153 slots", Kind.NODE_LAG),
    (-32005, "Node is unhealthy", Kind.NODE_LAG),
    (-32004, "Block not available for slot 123", Kind.NODE_LAG),
    (-32014, "Block status not yet available for slot 123", Kind.NODE_LAG),
    (-32001, "Block 5 cleaned up, does not exist on node. First available block: 9", Kind.NODE_LAG),
    (-32007, "Slot 5 was skipped, or missing due to ledger jump to recent snapshot", Kind.NODE_LAG),
    (-32010, "x excluded from account secondary indexes; this RPC method unavailable for key", Kind.PERMANENT),
    (-32602, "block range extends beyond current head block", Kind.NODE_LAG),
    (-32000, "BlockOutOfRangeError: block height is 5 but requested was 10", Kind.NODE_LAG),
    (-32001, "Resource not found.", Kind.NODE_LAG),
    (4444, "pruned history unavailable", Kind.NODE_LAG),
    (-32005, "query returned more than 10000 results", Kind.TOO_BIG),
    (-32602, "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range", Kind.TOO_BIG),
    (-32003, "response too large", Kind.TOO_BIG),
    (-32614, "eth_getLogs is limited to a 10,000 range", Kind.TOO_BIG),
    (-32600, "batch too large", Kind.TOO_BIG),
    (-32000, "out of gas", Kind.TOO_BIG),
    (-32000, "Unauthorized, please provide an API key", Kind.AUTH_OR_GEO),
    (-32001, "Missing API key (header or Bearer token).", Kind.AUTH_OR_GEO),
    (-32606, "Illegal Ip", Kind.AUTH_OR_GEO),
    (-32600, "Must be authenticated!", Kind.AUTH_OR_GEO),
    (-32601, "Method not found", Kind.PERMANENT),
    (-32601, "", Kind.PERMANENT),
    (-32000, "the method eth_getLogs does not exist/is not available", Kind.PERMANENT),
    (-32004, "", Kind.PERMANENT),
    (-32001, "rpc method is not whitelisted", Kind.PERMANENT),
    (-32602, "invalid argument 0: json: cannot unmarshal", Kind.PERMANENT),
    (-32600, "Invalid Request", Kind.PERMANENT),
    (-32700, "Parse error", Kind.PERMANENT),
    (-32000, "execution aborted (timeout = 5s)", Kind.TIMEOUT),
    (-32000, "context deadline exceeded", Kind.TIMEOUT),
    # unknown: never a verdict on the contract, asked elsewhere
    (-32000, "something new", Kind.SERVER),
    (-32603, "Internal error", Kind.SERVER),
    (0, "", Kind.SERVER),
]  # fmt: skip
STATUSES = [
    (418, Kind.RATE_LIMITED), (429, Kind.RATE_LIMITED), (402, Kind.QUOTA), (401, Kind.AUTH_OR_GEO), (403, Kind.AUTH_OR_GEO),
    (407, Kind.AUTH_OR_GEO), (451, Kind.AUTH_OR_GEO), (413, Kind.TOO_BIG), (408, Kind.TIMEOUT), (504, Kind.TIMEOUT),
    (522, Kind.TIMEOUT), (500, Kind.SERVER), (502, Kind.SERVER), (503, Kind.SERVER), (425, Kind.SERVER), (599, Kind.SERVER),
    (301, Kind.PERMANENT), (307, Kind.PERMANENT), (400, Kind.PERMANENT), (404, Kind.PERMANENT), (405, Kind.PERMANENT),
]  # fmt: skip


class LibraryError(Exception):
    pass


def _named(name: str, text: str = "") -> Exception:
    """An exception of a library's own class name, below a class of that library, without importing it."""
    return type(name, (LibraryError,), {})(text)


EXCEPTIONS = [
    (ResponseTooBigError(), Kind.TOO_BIG),
    (MalformedResponseError(), Kind.MALFORMED),
    (TimeoutError(), Kind.TIMEOUT),
    (type("SocketTimeoutError", (TimeoutError,), {})(), Kind.TIMEOUT),
    (ConnectionResetError(104, "Connection reset by peer"), Kind.SERVER),
    (_named("DDoSProtection", 'binance GET https://api.example/x 429 {"code":-1}'), Kind.RATE_LIMITED),
    (_named("YFRateLimitError", "Too Many Requests. Rate limited."), Kind.RATE_LIMITED),
    (_named("RateLimitExceeded"), Kind.RATE_LIMITED),
    # the class says "not available", as if a retry would help; the text tells the geo-block
    (_named("ExchangeNotAvailable", 'binance GET https://x.example 451 {"msg":"Service unavailable from a restricted location"}'), Kind.AUTH_OR_GEO),
    (_named("ExchangeNotAvailable", "kraken 503"), Kind.SERVER),
    (_named("AuthenticationError"), Kind.AUTH_OR_GEO),
    (_named("BadResponse"), Kind.MALFORMED),
    (_named("BadRequest"), Kind.PERMANENT),
    (_named("RequestTimeout"), Kind.TIMEOUT),
    (_named("SSLCertVerificationError"), Kind.PERMANENT),
    (_named("SomethingNew"), Kind.SERVER),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "kind"), RPC_ERRORS)
def test_json_rpc_errors(code, text, kind):
    assert classify({"code": code, "message": text}).kind is kind
    assert classify({"code": code, "message": text.upper()}).kind is kind


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_statuses(status, kind):
    failure = classify("", status)
    assert failure.kind is kind
    assert f"HTTP {status}" in failure.message


@pytest.mark.parametrize(("exception", "kind"), EXCEPTIONS)
def test_exceptions(exception, kind):
    assert classify(exception).kind is kind


def _cases_of(rule: Rule) -> list[Failure]:
    """A rule tried alone: each of its phrases, codes, statuses and exceptions."""
    return (
        [classify({"message": f"so it is: {phrase}."}) for phrase in rule.texts]
        + [classify({"code": code, "message": ""}) for code in rule.codes]
        + [classify("", status) for status in rule.statuses]
        + [classify(_named(name)) for name in rule.exceptions]
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{RULES.index(rule)}-{rule.kind.value}")
def test_a_rule_is_not_hidden_whole_by_those_before_it(rule):
    cases = _cases_of(rule)
    assert cases
    # `range(300, 500)` is what the statuses before it leave over; all else must come through one by one
    needed = any if rule.statuses == range(300, 500) or 500 in rule.statuses else all
    assert needed(failure.kind is rule.kind for failure in cases)


def test_every_kind_has_a_policy_and_only_a_refused_call_is_final():
    final = {kind for kind in Kind if not Failure.of(kind).is_retryable_elsewhere}
    assert final == {Kind.CALL_FAILED}
    here = {kind for kind in Kind if Failure.of(kind).is_retryable_here}
    assert here == {Kind.RATE_LIMITED, Kind.TIMEOUT, Kind.SERVER, Kind.NODE_LAG, Kind.MALFORMED}


def test_text_beats_status_and_status_beats_nothing():
    assert classify("daily request count exceeded", 429).kind is Kind.QUOTA
    assert classify({"code": -32000, "message": "execution reverted"}, 500).kind is Kind.CALL_FAILED
    assert classify("error code: 1015 rate limited", 403).kind is Kind.RATE_LIMITED


def test_a_page_and_an_address_decide_nothing():
    assert classify("\n <html>rate limit, execution reverted</html>", 502).kind is Kind.SERVER
    assert classify(LibraryError("no route to https://host.example/unauthorized/out%20of%20gas")).kind is Kind.SERVER


def test_parity_tells_a_revert_in_the_data():
    assert classify({"code": -32015, "message": "error", "data": "Reverted 0x08c379a0"}).kind is Kind.CALL_FAILED


def test_a_library_exception_brings_its_status_and_headers():
    error = LibraryError("429, message='Too Many', url='https://a.example/v2/key'")
    error.status, error.headers = 429, {"Retry-After": "3"}
    failure = classify(error)
    assert (failure.kind, failure.retry_after_seconds) == (Kind.RATE_LIMITED, 3.0)
    error = LibraryError("451 Client Error")
    error.response = type("Response", (), {"status_code": 451, "headers": {}})()
    assert classify(error).kind is Kind.AUTH_OR_GEO


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("1.5", 1.5), ("-3", 0.0), ("99999999", MAX_RETRY_AFTER_SECONDS), ("inf", MAX_RETRY_AFTER_SECONDS), ("nan", None), ("soon", None), ("", None), ("1e400", MAX_RETRY_AFTER_SECONDS)],
)  # fmt: skip
def test_retry_after_in_seconds(value, seconds):
    assert classify("", 429, {"retry-AFTER": value}).retry_after_seconds == seconds


def test_retry_after_as_a_date():
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    until = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert classify("", 429, {"Retry-After": until}, now).retry_after_seconds == 90.0
    # the server's clock wins over ours
    said = {"Retry-After": until, "Date": format_datetime(now + timedelta(seconds=60), usegmt=True)}
    assert classify("", 503, said, now).retry_after_seconds == 30.0
    assert classify("", 429, {"Retry-After": until}, now + timedelta(hours=1)).retry_after_seconds == 0.0
    assert classify("", 429, {"Retry-After": until}).retry_after_seconds is None


def test_a_ban_without_retry_after_is_two_minutes():
    assert classify("Way too much request weight used; IP banned until 1", 418).retry_after_seconds == 120.0
    assert classify("", 418, {"Retry-After": "9"}).retry_after_seconds == 9.0


def test_infura_says_in_the_error_how_long():
    error = {"code": -32005, "message": "project ID request rate exceeded", "data": {"rate": {"backoff_seconds": 30}}}
    assert classify(error).retry_after_seconds == 30.0
    error["data"] = {"backoff_seconds": True, "rate": "x"}
    assert classify(error).retry_after_seconds is None


# the digit keeps a key from being one of our own words, which hypothesis does find
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
KEYS = st.text(LETTERS, min_size=10, max_size=40).map(lambda text: f"7q{text}")
PHRASES = sorted({phrase for rule in RULES for phrase in rule.texts} | {"something new"})


@given(
    KEYS,
    st.sampled_from(PHRASES),
    st.sampled_from([200, 403, 418, 429, 500]),
    st.integers(-(10**18), 10**18),
    st.booleans(),
)
def test_no_key_comes_through_whatever_the_server_echoes(key, phrase, status, code, is_upper):
    key = key.upper() if is_upper else key
    echo = f"{phrase}: POST https://user:{key}@host.example/v2/{key}?apikey={key} {{'id': '{key}'}} {key}"
    headers = {"Location": echo, "Retry-After": key, "X-Key": key, "Date": key}
    error = LibraryError(echo)
    error.headers = headers
    for what in (
        echo,
        error,
        {"code": code, "message": echo, "data": echo},
        {"code": key, "message": {key: key}, "data": {key: key}},
    ):
        failure = classify(what, status, headers)
        shown = f"{failure!r} {failure}".lower()
        assert key.lower() not in shown
        assert "host.example" not in shown
        assert "user:" not in shown
        assert "://" not in shown


def test_a_number_that_may_be_a_key_is_not_shown():
    assert "918273645546372819" not in classify({"code": 918273645546372819, "message": ""}).message
