"""The codec against a real node: one aggregate3 over the native coin, tokens of all kinds, and poison."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from assets.wallets import codec
from assets.wallets.codec import Call, MalformedError, NoAnswerError, Outcome
from assets.wallets.reference import MULTICALL3_CODE_HASH
from tests import evm_binary, evm_contracts
from tests.evm_contracts import token
from tests.evm_nodes import MULTICALL3, EvmNode, EvmNodes, RpcError

WALLET = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
CHAIN_ID = 137
TOKENS = {
    # name: (code, raw balance)
    "6 decimals": (token(decimals=6, symbol="USDC"), 1_234_567),
    "18 decimals": (token(decimals=18, symbol="DAI"), 10**24 + 1),
    "8 decimals": (token(decimals=8, symbol="WBTC"), 2**256 - 1),
    "0 decimals": (token(decimals=0, symbol="ONE"), 7),
    "no decimals": (token(decimals=None, symbol="NONE"), 5),
    "bytes32": (token(symbol=b"MKR", name=b"Maker"), 3),
    "empty": (token(symbol="Ω"), 0),
    "reverting": (token(balance_of=evm_contracts.REVERTS_WITH_A_WORD), 9),
    "31 bytes": (token(balance_of=evm_contracts.RETURNS_31_BYTES), 9),
    "nothing": (token(balance_of=evm_contracts.RETURNS_NOTHING), 9),
    "gas": (token(balance_of=evm_contracts.BURNS_GAS), 9),
    "2 MB": (token(balance_of=evm_contracts.RETURNS_2_MB), 9),
}
ADDRESSES = {name: f"0x{number:040x}" for number, name in enumerate([*TOKENS, "no code"], start=0x70CE0000)}


@pytest.fixture(scope="module")
def node() -> Iterator[EvmNode]:
    with EvmNodes() as nodes:
        node = nodes.start(CHAIN_ID)
        for name, (code, _) in TOKENS.items():
            node.set_code(ADDRESSES[name], code)
        node.set_token_balances({(ADDRESSES[name], WALLET): amount for name, (_, amount) in TOKENS.items()})
        node.set_balance(WALLET, 42 * 10**18)
        node.mine(3)
        yield node


def asked(node: EvmNode, calls: list[Call]) -> list[Outcome]:
    return codec.decode_aggregate3(node.call(MULTICALL3, codec.encode_aggregate3(calls)), len(calls))


def returned(outcome: Outcome) -> bytes:
    assert outcome.returned is not None
    return outcome.returned


def test_the_node_is_of_its_chain_and_has_the_real_multicall3(node: EvmNode) -> None:
    assert int(node.rpc("eth_chainId"), 16) == CHAIN_ID
    code = codec.decode_hex(node.rpc("eth_getCode", MULTICALL3, "latest"))
    assert f"0x{keccak(code).hex()}" == MULTICALL3_CODE_HASH


def test_native_coin_tokens_and_poison_in_one_multicall(node: EvmNode) -> None:
    names = [name for name in ADDRESSES if name not in ("gas", "2 MB")]
    calls = [
        Call(MULTICALL3, codec.GET_CHAIN_ID),
        Call(MULTICALL3, codec.GET_BLOCK_NUMBER),
        Call(MULTICALL3, codec.GET_CURRENT_BLOCK_TIMESTAMP),
        Call(MULTICALL3, codec.get_eth_balance(WALLET)),
        *(Call(ADDRESSES[name], codec.balance_of(WALLET)) for name in names),
    ]
    chain_id, number, timestamp, native, *rest = asked(node, calls)
    found = dict(zip(names, rest, strict=True))

    block = node.rpc("eth_getBlockByNumber", "latest", False)
    assert codec.decode_uint(returned(chain_id)) == CHAIN_ID
    assert codec.decode_uint(returned(number)) == int(block["number"], 16)
    assert codec.decode_uint(returned(timestamp)) == int(block["timestamp"], 16)
    assert codec.decode_uint(returned(native)) == 42 * 10**18

    poison = {"reverting", "31 bytes", "nothing", "no code"}
    read = {name: codec.decode_uint(returned(found[name])) for name in names if name not in poison}
    assert read == {name: TOKENS[name][1] for name in names if name not in poison}
    assert found["reverting"] == Outcome(None, codec.encode_uint256(10**18))
    with pytest.raises(MalformedError, match="expected exactly 32 bytes, found 31"):
        codec.decode_uint(returned(found["31 bytes"]))
    for name in ("nothing", "no code"):
        with pytest.raises(NoAnswerError):
            codec.decode_uint(returned(found[name]))


def test_what_tokens_say_of_themselves(node: EvmNode) -> None:
    names = [name for name in TOKENS if name in ("6 decimals", "0 decimals", "no decimals", "bytes32", "empty")]
    questions = (codec.DECIMALS, codec.SYMBOL, codec.NAME)
    outcomes = iter(asked(node, [Call(ADDRESSES[name], data) for name in names for data in questions]))
    told = {}
    for name in names:
        decimals, symbol, long_name = next(outcomes), next(outcomes), next(outcomes)
        number = None if decimals.returned is None else codec.decode_uint(decimals.returned, 8)
        told[name] = (number, codec.decode_text(returned(symbol)), codec.decode_text(returned(long_name)))
    assert told == {
        "6 decimals": (6, "USDC", "Token"),
        "0 decimals": (0, "ONE", "Token"),
        "no decimals": (None, "NONE", "Token"),
        "bytes32": (18, "MKR", "Maker"),
        "empty": (18, "Ω", "Token"),
    }


def test_a_token_that_returns_2_mb_fails_the_whole_multicall(node: EvmNode) -> None:
    names = ("6 decimals", "2 MB", "18 decimals")
    with pytest.raises(RpcError, match="OOG"):
        asked(node, [Call(ADDRESSES[name], codec.balance_of(WALLET)) for name in names])


def test_tokens_that_burn_gas_take_it_from_the_calls_after_them(node: EvmNode) -> None:
    read = Call(ADDRESSES["18 decimals"], codec.balance_of(WALLET))
    burn = Call(ADDRESSES["gas"], codec.balance_of(WALLET))
    # one leaves 1/64 of the gas, enough for what follows; two leave 1/64 of that
    burned, *rest = asked(node, [burn, *[read] * 20])
    assert burned == Outcome(None, b"")
    assert {codec.decode_uint(returned(outcome)) for outcome in rest} == {10**24 + 1}
    with pytest.raises(RpcError, match="OutOfGas"):
        asked(node, [burn, burn, *[read] * 20])


def test_a_call_without_multicall3_is_no_answer() -> None:
    with EvmNodes() as nodes:
        bare = nodes.start(1, multicall3=None)
        with pytest.raises(NoAnswerError):
            asked(bare, [Call(MULTICALL3, codec.GET_CHAIN_ID)])
        process = bare.process
    assert process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is told by Linux alone")
def test_a_killed_test_process_leaves_no_node(node: EvmNode) -> None:
    code = (
        "from tests.evm_nodes import EvmNodes\n"
        "import time\n"
        "nodes = EvmNodes()\n"
        "print(nodes.start(5).process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        assert Path(f"/proc/{pid}/comm").read_text().strip() == "anvil"
        os.kill(child.pid, signal.SIGKILL)
    limit = time.monotonic() + 10
    while _is_running(pid) and time.monotonic() < limit:
        time.sleep(0.01)
    assert not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_a_node_a_test_is_skipped_and_fails_where_ci_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> Path:
        raise evm_binary.NotAvailableError("npm has none")

    monkeypatch.setattr(evm_binary, "_find", find)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no EVM node: npm has none"):
        evm_binary.anvil()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no EVM node: npm has none"):
        evm_binary.anvil()
