"""`holdfast chains`: which chains are known, and how many endpoints could be asked. Reads files and the environment.

Nothing is asked over the network, and no address is printed: an endpoint's may hold a key.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.settings import load_settings

if TYPE_CHECKING:
    from assets.registry.chains import Chain
    from assets.registry.other_chains import OtherChain
    from orchestration.settings import Settings

_HEADINGS = {
    "chain": "chain", "chain_caip2": "CAIP-2 id", "native_symbol": "coin", "own_endpoints": "own",
    "public_endpoints": "public", "has_multicall3": "multicall", "name": "name",
}  # fmt: skip
_RIGHT = ("own_endpoints", "public_endpoints")


def list_chains(
    all_: Annotated[bool, typer.Option("--all", help="Also test networks and local ones.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="A JSON array, with labels of the endpoints.")] = False,
) -> None:
    """The known chains: slug, CAIP-2 id, native coin, endpoints (own and public), whether Multicall3 is listed."""
    from assets.registry.chains import chains
    from assets.registry.other_chains import other_chains

    settings = load_settings()
    for name in settings.unrecognised:
        print(f"  {name} is no setting of Holdfast; is it mistyped?", file=sys.stderr)
    listed = [_described(chain, settings) for chain in chains().values() if all_ or chain.is_mainnet]
    listed += [_described(chain, settings) for chain in other_chains().values()]
    if json_:
        print(json.dumps(listed, indent=1))
        return
    _print_table(listed)
    unreachable = sum(not row["own_endpoints"] + row["public_endpoints"] for row in listed)
    print(f"{len(listed)} chains, {unreachable} without any endpoint; HOLDFAST_RPC_<CHAIN> adds your own")


def _described(chain: Chain | OtherChain, settings: Settings) -> dict[str, Any]:
    from assets.registry.chains import Chain
    from assets.wallets.endpoints import chain_endpoints

    endpoints = chain_endpoints(
        chain, settings.rpc_endpoints, is_public_asked=settings.is_rpc_public, instead=settings.endpoints
    )
    own = len(set(settings.rpc_endpoints.get(chain.slug, ())))
    return {
        "chain": chain.slug,
        "chain_caip2": chain.caip2,
        "name": chain.name,
        "native_symbol": chain.native_symbol,
        "native_decimals": chain.native_decimals,
        "is_mainnet": chain.is_mainnet if isinstance(chain, Chain) else True,
        "own_endpoints": own,
        "public_endpoints": len(endpoints) - own,
        "endpoints": [endpoint.label for endpoint in endpoints],
        "has_multicall3": isinstance(chain, Chain) and chain.multicall3_address is not None,
        "variable": f"HOLDFAST_RPC_{chain.variable}",
    }


def _print_table(listed: list[dict[str, Any]]) -> None:
    """Plain text, a line per chain, so that grep and sort work on it."""
    lines = [list(_HEADINGS.values()), *([_text(row[key]) for key in _HEADINGS] for row in listed)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    for line in lines:
        cells = (
            cell.rjust(width) if key in _RIGHT else cell.ljust(width)
            for key, cell, width in zip(_HEADINGS, line, widths, strict=True)
        )
        print("  ".join(cells).rstrip())


def _text(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
