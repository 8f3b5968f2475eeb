"""What no local node can show: a chain whose block.number is another chain's, and gas that an unknown call takes."""

import asyncio
import json
from datetime import UTC, datetime
from random import Random

import pytest

from assets.network.budget import Deadline, Hosts
from assets.network.endpoints import endpoints_of
from assets.network.errors import Failure, Kind
from assets.network.hedging import Network
from assets.network.http import Reply
from assets.registry.chains import chains
from assets.wallets import codec
from assets.wallets.block_reader import BlockReader, NativeBalance
from assets.wallets.codec import Outcome
from assets.wallets.model import Block
from assets.wallets.pinning import CANONICAL_MULTICALL3, Multicall, Pin
from assets.wallets.rpc import Rpc
from tests.unit.network.virtual_time import run_in_virtual_time

ARBITRUM = chains()["arbitrum"]
BLOCK = Block(250_000_000, "0x" + "ab" * 32, datetime.fromtimestamp(1_700_000_000, UTC))
OF_ETHEREUM = 18_500_000
WALLET = "0x" + "11" * 20


def encoded(words):
    """What aggregate3 returns for successful calls of one word each."""
    heads = [codec.encode_uint256(32 * len(words) + 128 * place) for place in range(len(words))]
    tails = [codec.encode_uint256(number) for word in words for number in (1, 64, 32, word)]
    return "0x" + b"".join([codec.encode_uint256(32), codec.encode_uint256(len(words)), *heads, *tails]).hex()


def read(words, *, has_arb_sys):
    """Ask for one native balance of a server whose multicall says these words."""

    async def send(endpoint, request, timeout_seconds):
        answers = []
        for call in json.loads(request.body):
            result = encoded(words)
            if call["method"] == "eth_getBlockByNumber":
                assert call["params"][0] == hex(BLOCK.number)
                result = {"number": hex(BLOCK.number), "hash": BLOCK.hash, "timestamp": hex(1_700_000_000)}
            answers.append({"jsonrpc": "2.0", "id": call["id"], "result": result})
        return Reply(answers, 1)

    async def work():
        clock = asyncio.get_running_loop().time
        network = Network(send, Hosts(clock), clock, Random(1))
        multicall = Multicall(CANONICAL_MULTICALL3, True, has_arb_sys)
        pin = Pin(BLOCK, endpoints_of(["https://a.example"]), multicall, is_reorganised=False)
        reader = BlockReader(Rpc(network), ARBITRUM, pin, Deadline(clock, 5.0), 5.0)
        [found] = await reader.read([NativeBalance(WALLET)])
        return found

    return run_in_virtual_time(work())


def test_on_arbitrum_the_chain_tells_its_own_block_number():
    found = read([ARBITRUM.evm_id, 1_700_000_000, OF_ETHEREUM, BLOCK.number, 7], has_arb_sys=True)
    assert found == Outcome(codec.encode_uint256(7), None)


def test_a_balance_that_reads_like_the_block_number_is_no_proof_of_it():
    found = read([ARBITRUM.evm_id, 1_700_000_000, OF_ETHEREUM, BLOCK.number], has_arb_sys=False)
    assert isinstance(found, Failure)


@pytest.mark.parametrize(
    ("words", "kind", "what"),
    [
        ([ARBITRUM.evm_id, 1_700_000_000, OF_ETHEREUM, 7], Kind.NODE_LAG, "run at block 18500000"),
        ([ARBITRUM.evm_id, 1_700_000_001, BLOCK.number, 7], Kind.NODE_LAG, "another time"),
        ([1, 1_700_000_000, BLOCK.number, 7], Kind.WRONG_CHAIN, "on chain 1"),
    ],
)
def test_a_multicall_that_ran_elsewhere_is_no_answer(words, kind, what):
    found = read(words, has_arb_sys=False)
    assert isinstance(found, Failure)
    assert found.kind is kind
    assert what in found.message
