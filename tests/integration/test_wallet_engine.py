"""The chain engine against real nodes, through a proxy that does what servers do wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from assets.network.endpoints import Endpoint, endpoints_of
from assets.registry.chains import chains
from assets.wallets import block_reader, codec, engine
from assets.wallets.codec import Call
from assets.wallets.model import (
    Asset,
    Block,
    ChainReport,
    ChainRequest,
    Kind,
    PinnedChain,
    Position,
    Status,
    TokenFacts,
)
from tests import evm_contracts
from tests.evm_contracts import token
from tests.evm_nodes import MULTICALL3, EvmNode, EvmNodes, multicall3_code
from tests.fault_proxy import KEY, FaultProxy, Route

SLUG, CHAIN_ID = "polygon", 137
WALLETS = tuple(f"0x{number:040x}" for number in range(0xA11CE00, 0xA11CE03))
POISON = {
    "reverts": evm_contracts.REVERTS_WITH_A_WORD,
    "31 bytes": evm_contracts.RETURNS_31_BYTES,
    "gas": evm_contracts.BURNS_GAS,
    "2 MB": evm_contracts.RETURNS_2_MB,
}
GOOD = tuple(f"0x{number:040x}" for number in range(0x70CE0000, 0x70CE0000 + 199))
POISONED = {name: f"0x{0xBAD0000 + number:040x}" for number, name in enumerate(POISON)}
NO_CODE = "0x00000000000000000000000000000000000DeAd1"
ONE_NATIVE = 42 * 10**18


def furnish(node: EvmNode) -> EvmNode:
    """Tokens, balances and blocks that every node of the chain has alike."""
    for number, address in enumerate(GOOD):
        node.set_code(address, token(decimals=number % 19, symbol=f"T{number}"))
    for name, address in POISONED.items():
        node.set_code(address, token(balance_of=POISON[name]))
    balances = {(address, WALLETS[0]): 10**18 + number for number, address in enumerate(GOOD)}
    node.set_token_balances(balances | {(GOOD[0], WALLETS[1]): 2**256 - 1, (POISONED["31 bytes"], WALLETS[0]): 9})
    node.set_balance(WALLETS[0], ONE_NATIVE)
    node.mine(3)
    return node


@pytest.fixture(scope="module")
def nodes() -> Iterator[EvmNodes]:
    with EvmNodes() as nodes:
        yield nodes


@pytest.fixture(scope="module")
def node(nodes: EvmNodes) -> EvmNode:
    return furnish(nodes.start(CHAIN_ID))


@pytest.fixture(scope="module")
def bare(nodes: EvmNodes) -> EvmNode:
    """The chain without Multicall3."""
    return furnish(nodes.start(CHAIN_ID, multicall3=None))


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy() as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _forget() -> None:
    engine._known_multicalls.clear()
    engine._known_refusers.clear()


def erc20(address: str) -> Asset:
    return Asset(SLUG, Kind.ERC20, address)


NATIVE = Asset(SLUG, Kind.NATIVE)
SMALL = ChainRequest(SLUG, [(wallet, asset) for wallet in WALLETS for asset in (NATIVE, *map(erc20, GOOD[:5]))])


def endpoints(*where: Route | EvmNode) -> tuple[Endpoint, ...]:
    return endpoints_of(one.url for one in where)


def read(request: ChainRequest, *where: Route | EvmNode, **options: object) -> ChainReport:
    [report] = engine.read([request], {SLUG: endpoints(*where)}, **{"max_head_age_seconds": 3600, **options})
    assert [(cell.wallet, cell.asset) for cell in report.cells] == list(request.cells)
    assert KEY not in repr(report)
    assert "http" not in repr(report).replace("HTTP", "")
    return report


def is_right(report: ChainReport) -> bool:
    """Whether SMALL was read whole and true."""
    amounts = {(WALLETS[0], GOOD[number]): 10**18 + number for number in range(5)}
    amounts |= {(GOOD[0], WALLETS[1]): 0, (WALLETS[1], GOOD[0]): 2**256 - 1, (WALLETS[0], None): ONE_NATIVE}
    told = {(cell.wallet, cell.asset.address): (cell.status, cell.amount) for cell in report.cells}
    expected = {
        (wallet, asset.address): (Status.OK, amounts[wallet, asset.address])
        if amounts.get((wallet, asset.address))
        else (Status.ZERO, 0)
        for wallet, asset in SMALL.cells
    }
    return report.failure is None and told == expected


def outcomes(report: ChainReport) -> list[tuple[str, str]]:
    return [(one.label, one.outcome) for one in report.tries]


# -- what is read


def test_two_requests_read_a_chain_at_one_block(node: EvmNode, proxy: FaultProxy) -> None:
    route = proxy.route(node.url)
    tokens = [erc20(address) for address in GOOD[:20]]
    request = ChainRequest(SLUG, [(f"0x{n:040x}", one) for n in range(1, 11) for one in (NATIVE, *tokens)])
    first = read(request, route)
    told = node.rpc("eth_getBlockByNumber", "latest", False)
    when = datetime.fromtimestamp(int(told["timestamp"], 16), UTC)
    assert first.block == Block(int(told["number"], 16), told["hash"], when)
    assert first.endpoint == f"127.0.0.1:{route.port}"
    assert {cell.status for cell in first.cells} == {Status.ZERO}
    read(request, route)
    batch = ["eth_call", "eth_getBlockByNumber"]
    # the second read knows the code of Multicall3 already
    pin = ["eth_chainId", "eth_getBlockByNumber"]
    assert route.methods == [[*pin, "eth_getCode", "eth_getCode"], batch, pin, batch]
    assert all(body[0]["params"][1] == told["number"] for body in route.bodies[1::2])


@pytest.mark.parametrize("has_multicall", [True, False])
def test_every_cell_has_a_status(node: EvmNode, bare: EvmNode, has_multicall: bool) -> None:
    where = node if has_multicall else bare
    cells = [(WALLETS[0], NATIVE), (WALLETS[2], NATIVE), (WALLETS[1], erc20(GOOD[0])), (WALLETS[2], erc20(GOOD[0]))]
    cells += [(WALLETS[0], erc20(address)) for address in (*POISONED.values(), NO_CODE)]
    report = read(ChainRequest(SLUG, cells), where)
    assert [(cell.status.value, cell.amount) for cell in report.cells] == [
        ("ok", ONE_NATIVE),
        ("zero", 0),
        ("ok", 2**256 - 1),
        ("zero", 0),
        *[("quarantined", None)] * 4,
        ("unsupported", None),
    ]
    assert all((cell.reason is None) == (cell.amount is not None) for cell in report.cells)
    assert "31 bytes" in (report.cells[5].reason or "")


@pytest.mark.parametrize("has_multicall", [True, False])
@pytest.mark.parametrize("poison", POISON)
def test_one_poison_token_among_200(node: EvmNode, bare: EvmNode, poison: str, has_multicall: bool) -> None:
    assets = [*map(erc20, GOOD[:120]), erc20(POISONED[poison]), *map(erc20, GOOD[120:])]
    request = ChainRequest(SLUG, [(WALLETS[0], asset) for asset in assets])
    report = read(request, node if has_multicall else bare)
    [bad] = [cell for cell in report.cells if cell.status is not Status.OK]
    assert (bad.asset.address, bad.status, bad.amount) == (POISONED[poison], Status.QUARANTINED, None)
    good = [cell.amount for cell in report.cells if cell is not bad]
    assert good == [10**18 + number for number in range(199)]


def test_all_poison_at_once_for_three_wallets(node: EvmNode) -> None:
    assets = [*map(erc20, GOOD), *map(erc20, POISONED.values())]
    report = read(ChainRequest(SLUG, [(wallet, asset) for asset in assets for wallet in WALLETS]), node)
    bad = {cell.asset.address for cell in report.cells if cell.status is Status.QUARANTINED}
    assert bad == set(POISONED.values())
    assert {cell.status for cell in report.cells if cell.asset.address in GOOD} == {Status.OK, Status.ZERO}


def test_what_tokens_say_of_themselves(nodes: EvmNodes, node: EvmNode) -> None:
    strange = {
        "0x00000000000000000000000000000000000f0001": token(decimals=None, symbol=b"MKR", name="Ω"),
        "0x00000000000000000000000000000000000f0002": token(decimals=256, symbol=b"\xff\xfe"),
    }
    for address, code in strange.items():
        node.set_code(address, code)
    asked = [erc20(address) for address in (GOOD[6], *strange, NO_CODE)]
    report = read(ChainRequest(SLUG, [], facts_of=[*asked, NATIVE]), node)
    assert report.facts == (
        TokenFacts(asked[0], 6, "T6", "Token"),
        TokenFacts(asked[1], None, "MKR", "Ω"),
        TokenFacts(asked[2], None, None, "Token"),
        TokenFacts(asked[3], None, None, None),
        TokenFacts(NATIVE, 18, "POL", None),
    )


def test_counts_of_nfts_are_read_by_the_calls_of_their_kind(node: EvmNode) -> None:
    both = "0x00000000000000000000000000000000000f0003"
    # balanceOf(address,uint256): the token id is the second word
    node.set_code(
        both,
        evm_contracts.contract(
            {
                evm_contracts.BALANCE_OF: "3 PUSH0 MSTORE 32 PUSH0 RETURN",
                bytes.fromhex("00fdd58e"): "36 CALLDATALOAD PUSH0 MSTORE 32 PUSH0 RETURN",
            }
        ),
    )
    assets = [Asset(SLUG, Kind.ERC721, both), Asset(SLUG, Kind.ERC1155, both, 77)]
    report = read(ChainRequest(SLUG, [(WALLETS[0], asset) for asset in assets]), node)
    assert [cell.amount for cell in report.cells] == [3, 77]


# -- which server is believed


@pytest.mark.parametrize(
    "fault", ["429", "500", "html", "wrong_ids", "missing", "twice", "no_eth_call", "reverts_all", "mute", "hang"]
)
def test_a_server_with_a_fault_costs_nothing_but_time(node: EvmNode, proxy: FaultProxy, fault: str) -> None:
    report = read(SMALL, proxy.route(node.url, fault), proxy.route(node.url))
    assert is_right(report)
    assert any(outcome not in ("ok", "skipped") for _, outcome in outcomes(report)) or fault == "reverts_all"
    assert report.seconds < 2


def test_answers_in_another_order_are_right(node: EvmNode, proxy: FaultProxy) -> None:
    assert is_right(read(SMALL, proxy.route(node.url, "shuffled")))


@pytest.mark.parametrize("fault", ["no_batch", "no_batch_400"])
def test_a_server_that_takes_no_batches_is_asked_call_by_call(
    node: EvmNode, bare: EvmNode, proxy: FaultProxy, fault: str
) -> None:
    for where in (node, bare):
        assert is_right(read(SMALL, proxy.route(where.url, fault)))
    # also while the other one hangs
    assert is_right(read(SMALL, proxy.route(node.url, "hang"), proxy.route(node.url, fault)))


def test_a_server_that_runs_no_multicall_is_asked_one_by_one(node: EvmNode, proxy: FaultProxy) -> None:
    assert is_right(read(SMALL, proxy.route(node.url, "flat")))


@pytest.mark.parametrize("has_multicall", [True, False])
@pytest.mark.parametrize("fault", ["no_eth_call", "reverts_all", "mute", "wrong_ids"])
def test_trouble_of_servers_is_no_verdict_on_a_token(
    node: EvmNode, bare: EvmNode, proxy: FaultProxy, fault: str, has_multicall: bool
) -> None:
    url = node.url if has_multicall else bare.url
    report = read(SMALL, proxy.route(url, fault), proxy.route(url, fault), chain_seconds=2)
    told = {(cell.status, cell.asset.kind) for cell in report.cells if cell.status is not Status.FAILED}
    # without Multicall3 the native coin is no call
    assert told <= {(Status.OK, Kind.NATIVE), (Status.ZERO, Kind.NATIVE)}
    assert all(cell.reason for cell in report.cells if cell.status is Status.FAILED)
    assert report.failure is not None or told


def test_hang_on_all_ends_within_the_budget(node: EvmNode, proxy: FaultProxy) -> None:
    started = time.monotonic()
    report = read(SMALL, proxy.route(node.url, "hang"), proxy.route(node.url, "hang"), chain_seconds=0.7)
    assert time.monotonic() - started < 5  # a busy machine is slow, and what hangs does so for ever
    assert (report.block, report.endpoint) == (None, None)
    assert report.failure is not None
    assert report.failure.startswith("timeout: ")
    assert {cell.status for cell in report.cells} == {Status.FAILED}
    # a dead chain takes no more when there was much to be read
    large = ChainRequest(SLUG, [(f"0x{number:040x}", NATIVE) for number in range(20_000)])
    assert engine.chain_budget(large, 0.7) == 0.7 + 39 * 0.5
    started = time.monotonic()
    assert read(large, proxy.route(node.url, "hang"), chain_seconds=0.7).failure is not None
    assert time.monotonic() - started < 8  # and not the 20 s of its budget


def test_no_endpoint_is_said(node: EvmNode) -> None:
    assert "no endpoint" in (read(SMALL).failure or "")


def test_a_server_of_another_chain_or_of_an_old_head_is_passed_over(
    nodes: EvmNodes, node: EvmNode, proxy: FaultProxy
) -> None:
    other = nodes.start(1)
    old = furnish(nodes.start(CHAIN_ID, "--timestamp", str(int(time.time()) - 2_000)))
    report = read(SMALL, proxy.route(other.url), proxy.route(old.url), proxy.route(node.url), max_head_age_seconds=1800)
    assert is_right(report)
    assert [outcome for _, outcome in outcomes(report)][:2] == ["wrong_chain", "node_lag"]
    # where it alone is left, the chain failed and says why
    report = read(SMALL, old, max_head_age_seconds=1800)
    assert report.failure is not None
    assert report.failure.startswith("node_lag: ")
    assert "s old, at most 1800 s" in report.failure


def test_a_server_that_lags_1000_blocks(nodes: EvmNodes, node: EvmNode, proxy: FaultProxy) -> None:
    ahead = furnish(nodes.start(CHAIN_ID, "--number", "1000"))
    seen = read(SMALL, ahead)
    assert seen.block is not None
    # both heads are young: the block read before tells that the first one lags
    request = dataclasses.replace(SMALL, expected=seen.block)
    report = read(request, proxy.route(node.url), proxy.route(ahead.url))
    assert is_right(report)
    assert report.block == seen.block
    assert not report.is_reorganised
    # asked for balances at a block that it does not have, it is passed over too
    behind = proxy.route(node.url)
    fault = proxy.route(ahead.url)
    fault.before = lambda number, _: setattr(fault, "fault", "hang") if number == 2 else None
    report = read(SMALL, fault, behind, chain_seconds=1)
    assert {cell.status for cell in report.cells} == {Status.FAILED}


def test_calls_at_another_block_than_asked_are_noticed(nodes: EvmNodes, proxy: FaultProxy) -> None:
    moving = furnish(nodes.start(CHAIN_ID))
    liar = proxy.route(moving.url, "any_block")
    liar.before = lambda number, _: moving.mine() if number == 2 else None
    report = read(SMALL, liar, proxy.route(moving.url))
    assert is_right(report)
    assert ("node_lag") in [outcome for _, outcome in outcomes(report)]


# -- Multicall3


def test_an_impostor_at_the_usual_address_is_never_called(nodes: EvmNodes, proxy: FaultProxy) -> None:
    impostor = furnish(nodes.start(CHAIN_ID, multicall3=None))
    impostor.set_code(MULTICALL3, evm_contracts.assemble("PUSH0 PUSH0 REVERT"))
    route = proxy.route(impostor.url)
    assert is_right(read(SMALL, route))
    targets = {call["params"][0]["to"] for body in route.bodies for call in body if call["method"] == "eth_call"}
    assert MULTICALL3 not in targets


def test_another_code_elsewhere_proves_itself_by_what_it_answers(
    nodes: EvmNodes, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = "0xF9cda624FBC7e059355ce98a31693d299FACd963"
    monkeypatch.setattr("assets.wallets.pinning.multicall3_addresses", lambda slug: (elsewhere,))
    other = furnish(nodes.start(CHAIN_ID, multicall3=None))
    other.set_code(elsewhere, multicall3_code() + b"\0")
    route = proxy.route(other.url)
    assert is_right(read(SMALL, route))
    assert route.methods[1] == ["eth_call", "eth_getBlockByNumber", "eth_getBalance"]
    assert engine._known_multicalls[SLUG].is_proven
    # one that does not: the same chain, and a contract that says nothing
    other.set_code(elsewhere, evm_contracts.assemble("STOP"))
    assert is_right(read(SMALL, other))
    assert SLUG not in engine._known_multicalls


# -- blocks that are replaced


def test_a_reorganisation_between_two_chunks_is_read_again(
    nodes: EvmNodes, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_reader, "CALLS_PER_AGGREGATE", 9)
    monkeypatch.setattr(block_reader, "QUESTIONS_AT_ONCE", 1)
    changing = furnish(nodes.start(CHAIN_ID))
    route = proxy.route(changing.url)
    before = changing.rpc("eth_getBlockByNumber", "latest", False)["hash"]

    def reorganise(number: int, _: object) -> None:
        if number == 3:  # the pin and the first chunk were answered
            changing.rpc("anvil_reorg", 2, [])

    route.before = reorganise
    report = read(SMALL, route)
    assert is_right(report)
    assert report.block is not None
    assert report.block.hash == changing.rpc("eth_getBlockByNumber", "latest", False)["hash"] != before
    # the next run learns that what it stored is gone
    old = Block(report.block.number, before, report.block.timestamp)
    route.before = None
    again = read(dataclasses.replace(SMALL, expected=old), route)
    assert again.is_reorganised
    assert not read(dataclasses.replace(SMALL, expected=report.block), route).is_reorganised

    # replaced again and again: the chain fails, nothing is mixed
    route.before = lambda number, calls: changing.rpc("anvil_reorg", 2, []) if calls[0]["method"] == "eth_call" else 0
    report = read(SMALL, route)
    assert (report.block, {cell.status for cell in report.cells}) == (None, {Status.FAILED})
    assert "it has another block" in (report.failure or "")


def test_a_reorganisation_after_the_cells_is_noticed(nodes: EvmNodes, proxy: FaultProxy) -> None:
    changing = furnish(nodes.start(CHAIN_ID))
    route = proxy.route(changing.url)
    # head, cells, positions, the one that reverted alone; the fifth request is the last look at the header
    route.before = lambda number, _: changing.rpc("anvil_reorg", 2, []) if number == 5 else None
    request = dataclasses.replace(SMALL, positions_of=WALLETS[:1])
    report = read(request, route, position_readers=lambda slug: [Reader("good")])
    assert is_right(report)
    assert report.block is not None
    assert report.block.hash == changing.rpc("eth_getBlockByNumber", "latest", False)["hash"]
    assert [one.units for one in report.positions] == [10**18]


def test_a_chain_that_was_started_anew_is_read(node: EvmNode) -> None:
    later = Block(10_000_000, "0x" + "ab" * 32, datetime.now(UTC))
    report = read(dataclasses.replace(SMALL, expected=later), node)
    assert is_right(report)


# -- positions, sizes, entries


class Reader:
    def __init__(self, name: str, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.name, self._seconds, self._error = name, seconds, error

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        await asyncio.sleep(self._seconds)
        if self._error is not None:
            raise self._error
        [held, refused] = await chain.call(
            [Call(GOOD[0], codec.balance_of(wallets[0])), Call(POISONED["reverts"], codec.balance_of(wallets[0]))]
        )
        assert held is not None
        assert held.returned is not None
        assert refused is not None
        assert refused.returned is None
        assert chain.chain == SLUG
        units = int.from_bytes(held.returned)
        return [Position(wallets[0], "x", "staked", self.name, "staking", units, chain.block.number, ())]


def test_readers_of_positions_cost_only_themselves(node: EvmNode, proxy: FaultProxy) -> None:
    readers = {SLUG: [Reader("good"), Reader("broken", error=ValueError(KEY))]}.__getitem__
    request = dataclasses.replace(SMALL, positions_of=WALLETS[:1])
    route = proxy.route(node.url)
    report = read(request, route, position_readers=readers)
    assert is_right(report)
    assert report.block is not None
    assert [(one.protocol, one.units, one.decimals) for one in report.positions] == [
        ("good", 10**18, report.block.number)
    ]
    assert report.problems == ("positions of broken: ValueError",)
    # head, cells, positions, the one that reverted alone, the header once more
    assert [len(methods) for methods in route.methods] == [4, 2, 2, 3, 1]
    assert read(SMALL, node, position_readers=readers).positions == ()


def test_a_server_that_hangs_after_the_cells_costs_the_positions(node: EvmNode, proxy: FaultProxy) -> None:
    route = proxy.route(node.url)
    route.before = lambda number, _: setattr(route, "fault", "hang") if number == 3 else None
    request = dataclasses.replace(SMALL, positions_of=WALLETS[:1])
    report = read(request, route, position_readers=lambda slug: [Reader("good")], chain_seconds=1.0)
    assert is_right(report)
    assert (report.positions, report.problems) == ((), ("positions of good: AssertionError",))
    # one that waits for something else than the chain
    readers = [Reader("slow", seconds=60)]
    report = read(request, node, position_readers=lambda slug: readers, chain_seconds=0.6)
    assert is_right(report)
    assert report.problems == ("positions: TimeoutError",)


def test_a_large_population_goes_chunk_by_chunk(node: EvmNode, bare: EvmNode, proxy: FaultProxy) -> None:
    wallets = [f"0x{number:040x}" for number in range(0xA11CE00, 0xA11CE00 + 3_000)]
    request = ChainRequest(SLUG, [(wallet, asset) for wallet in wallets for asset in (NATIVE, erc20(GOOD[0]))])
    route = proxy.route(node.url)
    report = read(request, route)
    assert [cell.amount for cell in report.cells[:6]] == [ONE_NATIVE, 10**18, 0, 2**256 - 1, 0, 0]
    assert {cell.status for cell in report.cells[6:]} == {Status.ZERO}
    assert route.requests == 1 + 6_000 // block_reader.CALLS_PER_AGGREGATE + 1


def test_chains_are_read_side_by_side_also_from_within_a_loop(nodes: EvmNodes, node: EvmNode) -> None:
    bsc = nodes.start(56)
    bsc.mine()  # anvil runs calls at its first block with another time than the header's
    requests = [SMALL, ChainRequest("bsc", [(WALLETS[0], Asset("bsc", Kind.NATIVE))]), ChainRequest("bitcoin", [])]

    async def bitcoin(request: ChainRequest, *_: object) -> ChainReport:
        return ChainReport(request.chain, None, None, (), datetime.now(UTC), 0.0, ())

    async def work() -> list[ChainReport]:
        return engine.read(
            requests, {SLUG: endpoints(node), "bsc": endpoints(bsc)}, max_head_age_seconds=3600,
            other_readers={"bitcoin": bitcoin},
        )  # fmt: skip

    first, second, third = asyncio.run(work())
    assert is_right(first)
    assert (second.chain, second.cells[0].status, third.chain) == ("bsc", Status.ZERO, "bitcoin")
    assert chains()["bsc"].evm_id == 56
