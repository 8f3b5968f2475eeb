"""JSON-RPC answers as servers send them: what is a result, what is a failure, what is nobody's answer."""

import json

import pytest

from assets.network.errors import Failure, Kind
from assets.wallets.rpc import Batch, RpcCall, results

REVERT = {"code": 3, "message": "execution reverted"}


def item(number, result="0x1"):
    return {"jsonrpc": "2.0", "id": number, "result": result}


def failed(number, error):
    return {"jsonrpc": "2.0", "id": number, "error": error}


def kinds(value, ids=(1, 2, 3)):
    found = results(ids, value)
    if isinstance(found, Failure):
        return found.kind
    return [one.kind if isinstance(one, Failure) else one for one in found]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([item(3, "c"), item(1, "a"), item(2, "b")], ["a", "b", "c"]),
        ([item(1, "a"), item(2, None), {**item(3, "c"), "error": None}], ["a", None, "c"]),
        ([item(1, "a"), item(3, "c")], ["a", Kind.MALFORMED, "c"]),
        ([item(1, "a"), item(1, "a"), item(2, "b"), item(3, "c")], [Kind.MALFORMED, "b", "c"]),
        ([item(1, "a"), item(2, "b"), item(3, "c"), item(77, "d")], ["a", "b", "c"]),
        ([item(1, "a"), failed(2, REVERT), failed(3, {"code": 429, "message": ""})], ["a", "call_failed", "rate_limited"]),
        ([item(1, "a"), item(2, "b"), {"jsonrpc": "2.0", "id": 3}], ["a", "b", Kind.MALFORMED]),
        ([item(True, "a"), item("2", "b"), item(3, "c")], [Kind.MALFORMED, Kind.MALFORMED, "c"]),
        ([item(1, "a"), failed(2, "gone"), failed(3, 7)], ["a", Kind.SERVER, Kind.MALFORMED]),
        # of the batch as a whole
        (failed(None, {"code": -32600, "message": "batches are not supported"}), Kind.PERMANENT),
        ([failed(None, {"code": -32000, "message": "batch too large"})], Kind.TOO_BIG),
        (failed(1, {"code": -32005, "message": "limit exceeded"}), [Kind.QUOTA, Kind.MALFORMED, Kind.MALFORMED]),
        ([item(1_001), item(1_002), item(1_003)], Kind.MALFORMED),
        ([], Kind.MALFORMED),
        ({}, Kind.MALFORMED),
        ("a text", Kind.MALFORMED),
        ([1, 2, 3], Kind.MALFORMED),
        (None, Kind.MALFORMED),
    ],
)  # fmt: skip
def test_results_of_a_batch(value, expected):
    assert kinds(value) == expected


def test_no_id_is_used_twice_and_one_call_is_no_array():
    calls = [RpcCall("eth_chainId"), RpcCall("eth_getBalance", ("0x00", "latest"))]
    first, second, single = Batch.of(calls), Batch.of(calls), Batch.of(calls[:1])
    assert len({*first.ids, *second.ids, *single.ids}) == 5
    told = json.loads(first.body)
    assert [(one["id"], one["method"], one["params"]) for one in told] == [
        (first.ids[0], "eth_chainId", []),
        (first.ids[1], "eth_getBalance", ["0x00", "latest"]),
    ]
    assert [json.loads(one.body) for one in first.singles] == told
    assert json.loads(single.body)["id"] == single.ids[0]
