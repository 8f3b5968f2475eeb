"""`holdfast demo-chains`: an ordinary run over wallets on local chains, one of them dead, one endpoint lagging.

Belongs here: nodes, inputs, environment and home of the demo. Must not be here: what is on the chains
(assets/wallets/demo), what is printed of the outcome (demo_chains_report). The demo has a home and a server of its
own: neither the owner's data nor the owner's endpoints are touched, and nothing is asked over the network but npm,
once, for the node's program.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.command_options import fail
from orchestration.settings import PREFIX, load_settings

if TYPE_CHECKING:
    from assets.wallets.demo.local_nodes import EvmNodes
    from assets.wallets.demo.treasury import MadeUpBalance

PORTFOLIO = "made-up-treasury"
_FEWEST, _ALL = 3, 25
#: Places in the list of chains: whose first endpoint is behind, and whose only one is dead.
_LAGGING, _DEAD = 1, 2
_LAG_SECONDS = 7200
#: A closed port of this machine: discard, which nobody serves.
_DEAD_URL = "http://127.0.0.1:9"
#: Tells that a folder is a demo's home, so that another one is never written into.
_MARKER = "demo-chains.txt"

ChainsOption = Annotated[int, typer.Option("--chains", min=_FEWEST, max=_ALL, help="How many chains.")]
HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Keep the demo's database and inputs here; default: a temporary folder.")
]


def demo_chains(count: ChainsOption = _ALL, home: HomeOption = None) -> None:
    """Read wallets from 25 local chains with made-up balances, one chain dead: what a run does, and how it looks."""
    from assets.wallets.demo.local_nodes import EvmNodes
    from assets.wallets.demo.treasury import treasury_wallets

    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    wallets = dict(list(treasury_wallets().items())[:count])
    with _own_home(home) as folder:
        program = _node_program()
        _print_greeting(list(wallets))
        with EvmNodes(program) as nodes:
            balances, endpoints = _start_chains(nodes, wallets)
            print(f"{len(endpoints) - 1} chains up, {len(balances)} made-up balances on them\n", flush=True)
            inputs = _write_inputs(folder / "inputs", wallets)
            _set_environment(folder, endpoints)
            code = _run(inputs, balances, endpoints)
        if home is not None:
            print(f"\nKept in {folder}: HOLDFAST_HOME={folder} .venv/bin/holdfast db url")
    print(f"All nodes are stopped. {time.monotonic() - began:.0f} s")
    raise typer.Exit(code)


def _node_program() -> Path:
    """Anvil from a cache in the owner's home, where it stays: fetching takes seconds."""
    from assets.wallets.demo.node_program import VERSION, NotAvailableError, anvil_in, find_anvil

    cache = load_settings().home / "cache"
    if not anvil_in(cache).is_file():
        print(f"Fetching anvil {VERSION}, the program of a local chain, from npm: once, into {cache}", flush=True)
    try:
        return find_anvil(cache)
    except NotAvailableError as error:
        fail(f"no local chains: {error}. Install npm or go online and try again, or put anvil at {anvil_in(cache)}")


def _run(inputs: Path, balances: Sequence[MadeUpBalance], endpoints: dict[str, list[str]]) -> int:
    from assets.warehouse.database import connect
    from orchestration.demo_chains_report import print_report
    from orchestration.embedded_postgres import database_url
    from orchestration.pipeline import run_pipeline

    settings = load_settings()
    url = database_url(settings)
    outcome = run_pipeline(settings, url, str(inputs), None, is_watched=True)
    for message in outcome.messages:
        print(f"  {message}", file=sys.stderr)
    if outcome.exit_code:
        return outcome.exit_code
    with connect(url) as conn:
        return 0 if print_report(conn, PORTFOLIO, balances, endpoints) else 1


def _print_greeting(slugs: Sequence[str]) -> None:
    print(
        f"Starts {len(slugs)} chains on this machine, each with its real id, Multicall3 and real token addresses, and\n"
        "reads the treasury wallets of the Aave DAO from them, as a run does from the real ones.\n\n"
        "  EVERY BALANCE IS MADE UP. The addresses are real and public; what they really hold is not shown here.\n"
        "  Prices are real closes of 2021-07-06, the last in the bundled data: values are marked stale.\n"
        f"  Meant to go wrong: the only endpoint of {slugs[_DEAD]} is dead, the first one of {slugs[_LAGGING]} is "
        f"{_LAG_SECONDS // 3600} hours behind.\n",
        flush=True,
    )


@contextmanager
def _own_home(given: Path | None) -> Iterator[Path]:
    """The demo's home, its server stopped at the end; a temporary one is removed then."""
    from orchestration.embedded_postgres import stop
    from orchestration.server_place import find_folder

    if given is None:
        home = Path(tempfile.mkdtemp(prefix="holdfast-demo-"))
        home.chmod(0o755)  # root hands the server to a user who must be able to enter
    else:
        home = given.expanduser().resolve()
        if home.exists() and not (home / _MARKER).is_file() and (not home.is_dir() or any(home.iterdir())):
            fail(f"{home} is not a home of this demo; give --home a new or an empty folder", 2)
        home.mkdir(parents=True, exist_ok=True)
        (home / _MARKER).write_text("Written by `holdfast demo-chains`: its balances are made up.\n")
    try:
        yield home
    finally:
        stop(home)
        if given is None:
            for folder in (find_folder(home), home):
                shutil.rmtree(folder, ignore_errors=True)


def _start_chains(
    nodes: EvmNodes, wallets: dict[str, tuple[str, ...]]
) -> tuple[list[MadeUpBalance], dict[str, list[str]]]:
    """What is on the living chains, and the addresses of each chain's endpoints in order."""
    from assets.registry.chains import chains
    from assets.wallets.demo.treasury import made_up_balances, put_on
    from assets.wallets.reference import multicall3_addresses

    held: list[MadeUpBalance] = []
    endpoints: dict[str, list[str]] = {}
    for place, (slug, addresses) in enumerate(wallets.items()):
        if place == _DEAD:
            endpoints[slug] = [_DEAD_URL]
            continue
        chain_id, multicall3 = chains()[slug].evm_id, multicall3_addresses(slug)[0]
        balances = made_up_balances(slug, addresses)
        begun = [["--block-time", "2"]]
        if place == _LAGGING:
            begun.insert(0, [*begun[0], "--timestamp", str(int(time.time()) - _LAG_SECONDS)])
        endpoints[slug] = []
        for options in begun:
            node = nodes.start(chain_id, *options, multicall3=multicall3)
            put_on(node, slug, balances)
            endpoints[slug].append(node.url)
        held += balances
    return held, endpoints


def _write_inputs(folder: Path, wallets: dict[str, tuple[str, ...]]) -> Path:
    import yaml

    from assets.wallets.demo.treasury import prices_csv

    accounts = [
        {"id": f"{slug}-{number}", "kind": "wallet", "address": address, "chains": [slug]}
        for slug, addresses in wallets.items()
        for number, address in enumerate(addresses, start=1)
    ]
    portfolio = {"id": PORTFOLIO, "user_id": "demo", "name": "Made-up balances", "accounts": accounts}
    document = {"version": 1, "base_currency": "USD", "portfolios": [portfolio]}
    (folder / "prices").mkdir(parents=True, exist_ok=True)
    (folder / "portfolios.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (folder / "prices" / "prices.csv").write_text(prices_csv())
    return folder


def _set_environment(home: Path, endpoints: dict[str, list[str]]) -> None:
    """The demo's settings instead of the owner's, for this process alone."""
    from assets.registry.chains import chains

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ |= {f"{PREFIX}HOME": str(home), f"{PREFIX}SOURCES": "chains", f"{PREFIX}RPC_PUBLIC": "0"}
    os.environ |= {f"{PREFIX}RPC_{chains()[slug].variable}": " ".join(urls) for slug, urls in endpoints.items()}
