"""Wallets of 100 chains against real nodes behind a proxy of 150 ms: `python -m benchmarks.wallets [CHAINS]`.

Belongs here: the engine without PostgreSQL. Must not be here: expectations (tests/integration/test_wallet_engine.py).
Each chain is an anvil process with its real chain id, Multicall3 at its listed address and 20 tokens, and three
endpoints, each a port of the proxy, which is a process of its own. About 100 MB and half a second of start a chain.

1. 10 wallets × 20 tokens and the coin on each chain, no faults: seconds, requests a chain, CPU a balance;
2. the same with 10 % of the primaries hanging and 10 % answering 429;
3. all endpoints of 5 % of the chains hanging;
4. one chain: 200 balances against web3.py's contract.call one after the other (a part of them is measured);
5. one chain without latency: 100,000 balances, CPU a balance.
"""

import statistics
import sys
import time
from collections.abc import Sequence

from assets.network.endpoints import endpoints_of
from assets.registry.chains import mainnets
from assets.wallets import engine
from assets.wallets.model import Asset, ChainReport, ChainRequest, Kind, Status
from assets.wallets.reference import multicall3_addresses
from benchmarks._command import machine
from tests.evm_contracts import token
from tests.evm_nodes import EvmNode, EvmNodes
from tests.fault_proxy import FaultProxyProcess, Route

CHAINS = 100
LATENCY_SECONDS = 0.15
ENDPOINTS = 3
SEQUENTIAL = 40
WALLETS = [f"0x{number:040x}" for number in range(0xA11CE00, 0xA11CE00 + 10)]
TOKENS = [f"0x{number:040x}" for number in range(0x70CE0000, 0x70CE0000 + 20)]
POPULATION = 100_000
_ABI = [
    {
        "type": "function", "name": "balanceOf", "stateMutability": "view",
        "inputs": [{"name": "wallet", "type": "address"}], "outputs": [{"name": "", "type": "uint256"}],
    }
]  # fmt: skip


def main() -> None:
    """Print what was measured."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CHAINS
    print(machine())
    slugs = [slug for slug in mainnets() if multicall3_addresses(slug)][:count]
    with EvmNodes() as nodes:
        start = time.monotonic()
        running = [_node(nodes, slug) for slug in slugs]
        print(f"{len(slugs)} nodes started and furnished in {time.monotonic() - start:.0f} s")
        routes = [Route(node.url, LATENCY_SECONDS) for node in running for _ in range(ENDPOINTS)]
        with FaultProxyProcess(routes) as proxy:
            _measure_chains(proxy, slugs)
            _measure_sequential(proxy, slugs[0])
        _measure_population(running[0], slugs[0])


def _node(nodes: EvmNodes, slug: str) -> EvmNode:
    from assets.registry.chains import chains

    node = nodes.start(chains()[slug].evm_id, multicall3=multicall3_addresses(slug)[0])
    code = "0x" + token().hex()
    node.batch([("anvil_setCode", (address, code)) for address in TOKENS])
    node.set_token_balances({(address, wallet): 10**18 + int(wallet, 16) for address in TOKENS for wallet in WALLETS})
    node.batch([("anvil_setBalance", (wallet, hex(10**18))) for wallet in WALLETS])
    node.mine()
    return node


def _measure_chains(proxy: FaultProxyProcess, slugs: Sequence[str]) -> None:
    requests = [
        ChainRequest(
            slug, [(wallet, Asset(slug, Kind.NATIVE)) for wallet in WALLETS]
            + [(wallet, Asset(slug, Kind.ERC20, address)) for address in TOKENS for wallet in WALLETS],
        )
        for slug in slugs
    ]  # fmt: skip
    every_tenth, every_twentieth = max(len(slugs) // 10, 1), max(len(slugs) // 20, 1)
    spared: list[str | None] = [None] * ENDPOINTS
    scenes: dict[str, list[str | None]] = {
        "no faults": spared * len(slugs),
        "10 % of primaries hang, 10 % say 429": [
            fault
            for number in range(len(slugs))
            for fault in (
                "hang" if number < every_tenth else "429" if number < 2 * every_tenth else None, None, None,
            )
        ],
        "5 % of chains hang altogether": [
            fault for number in range(len(slugs)) for fault in (["hang"] * 3 if number < every_twentieth else spared)
        ],
    }  # fmt: skip
    endpoints = {
        slug: endpoints_of(route.url for route in proxy.routes[ENDPOINTS * place : ENDPOINTS * (place + 1)])
        for place, slug in enumerate(slugs)
    }
    engine.read(requests, endpoints)  # imports here, first calls there: nodes of the real world are warm too
    for name, faults in scenes.items():
        proxy.set_faults(faults)
        engine._known_multicalls.clear()
        before, cpu = time.monotonic(), time.process_time()
        reports = engine.read(requests, endpoints)
        seconds, cpu = time.monotonic() - before, time.process_time() - cpu
        counts = proxy.requests()
        asked = [sum(counts[ENDPOINTS * place : ENDPOINTS * (place + 1)]) for place in range(len(slugs))]
        _print_scene(name, reports, seconds, cpu, asked)


def _print_scene(name: str, reports: Sequence[ChainReport], seconds: float, cpu: float, asked: Sequence[int]) -> None:
    cells = sum(len(report.cells) for report in reports)
    good = [report for report in reports if all(cell.status is Status.OK for cell in report.cells)]
    times = sorted(report.seconds for report in good)
    print(
        f"{name}: {seconds:.2f} s, {len(good)} of {len(reports)} chains complete, the slowest of them {times[-1]:.2f} s"
        f" (median {statistics.median(times):.2f}); requests a chain at most {max(asked)}, "
        f"{sum(asked) / len(asked):.2f} on average; CPU {cpu:.2f} s, {cpu / cells * 1e6:.0f} µs a balance"
    )


def _measure_sequential(proxy: FaultProxyProcess, slug: str) -> None:
    """web3.py as it comes, one `contract.call` after the other, against one read of the same 200 balances."""
    from web3 import HTTPProvider, Web3

    proxy.set_faults([None] * len(proxy.routes))
    web3 = Web3(HTTPProvider(proxy.routes[0].url))
    pairs = [(wallet, address) for wallet in WALLETS for address in TOKENS]
    before = time.monotonic()
    for wallet, address in pairs[:SEQUENTIAL]:
        contract = web3.eth.contract(Web3.to_checksum_address(address), abi=_ABI)
        contract.functions.balanceOf(Web3.to_checksum_address(wallet)).call()
    theirs = (time.monotonic() - before) / SEQUENTIAL * len(pairs)
    their_requests = proxy.requests()[0] / SEQUENTIAL
    request = ChainRequest(slug, [(wallet, Asset(slug, Kind.ERC20, address)) for wallet, address in pairs])
    before = time.monotonic()
    [report] = engine.read([request], {slug: endpoints_of([proxy.routes[0].url])})
    ours = time.monotonic() - before
    assert {cell.status for cell in report.cells} == {Status.OK}
    print(
        f"one chain, 200 balances: {ours:.2f} s; web3.py {theirs:.1f} s ({their_requests:.1f} requests each, "
        f"{SEQUENTIAL} measured): {theirs / ours:.0f} times"
    )


def _measure_population(node: EvmNode, slug: str) -> None:
    wallets = [f"0x{number:040x}" for number in range(1, POPULATION // len(TOKENS) + 1)]
    request = ChainRequest(slug, [(one, Asset(slug, Kind.ERC20, address)) for address in TOKENS for one in wallets])
    before, cpu = time.monotonic(), time.process_time()
    [report] = engine.read([request], {slug: endpoints_of([node.url])})
    seconds, cpu = time.monotonic() - before, time.process_time() - cpu
    known = sum(cell.amount is not None for cell in report.cells)
    print(
        f"one chain, {len(request.cells):,} balances without latency: {seconds:.1f} s, {known:,} read, "
        f"{len(report.tries)} requests; CPU {cpu / len(request.cells) * 1e6:.1f} µs a balance"
    )


if __name__ == "__main__":
    main()
