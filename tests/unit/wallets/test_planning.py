"""What is asked of chains: complete over time, nothing twice, nothing that is read elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from assets.registry.chains import mainnets
from assets.registry.other_chains import known_slugs
from assets.wallets.identity import asset_of, instrument_id
from assets.wallets.known_instruments import known_instruments
from assets.wallets.model import Asset, Block, Kind
from assets.wallets.planning import SLICES, Known, curated, plan, slice_of
from assets.wallets.positions.declared import Declared
from assets.wallets.positions.readers import receipts
from assets.wallets.reference import canonical_instruments, native_mirrors, tokens

ALICE, BOB = "0x" + "A1" * 20, "0x" + "B0" * 20
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
OWN = "0x" + "12" * 20


@pytest.mark.parametrize("slug", ["ethereum", "base", "rootstock", "celo", "expanse"])
def test_the_whole_list_is_asked_in_as_many_reads_as_there_are_slices(slug: str) -> None:
    seen = [asset.address for turn in range(SLICES) for asset in slice_of(slug, turn)]
    every = {asset.address for asset in curated(slug)} | set(seen)
    assert len(seen) == len(set(seen))
    assert every == {token.address for token in tokens(slug)} - receipts(slug)
    assert slice_of(slug, 3) == slice_of(slug, 3 + SLICES)
    assert not every & native_mirrors(slug)
    sizes = {len(slice_of(slug, turn)) for turn in range(SLICES)}
    assert max(sizes) - min(sizes) <= 1


def test_curated_are_tokens_of_two_lists_and_those_of_aave() -> None:
    listed = {asset.address for asset in curated("ethereum")}
    assert USDC in listed
    assert len(listed) == 111  # of 115: four are receipts of positions
    assert sum(len(curated(slug)) for slug in mainnets()) == 294


def test_a_request_asks_each_cell_once_and_the_facts_that_are_missing() -> None:
    held = [(ALICE, f"eip155:1/erc20:{USDC}"), (ALICE, f"eip155:1/erc20:{OWN}"), (ALICE, "custom:gone"),
            (OWN, f"eip155:1/erc20:{OWN}")]  # fmt: skip
    block = Block(7, "0x07", datetime(2024, 1, 1, tzinfo=UTC))
    known = Known(
        wallets={"ethereum": [ALICE, BOB], "nowhere": [ALICE], "base": []},
        declared=[
            Declared("eip155:1/erc721:" + OWN, "token"),
            Declared("eip155:8453/erc20:" + OWN, "token"),
            Declared("eip155:1/erc20:0x" + "56" * 20, "lp_token"),
            Declared("equity:AAPL", "token"),
        ],
        held={"ethereum": held},
        facts={f"eip155:1/erc20:{USDC}"},
        wanted_facts={"ethereum": ["eip155:1/erc20:0x" + "34" * 20]},
        blocks={"ethereum": block},
        turns={"ethereum": 5},
    )
    asked = plan(known)
    [request] = asked.requests
    assert (request.chain, request.positions_of, request.expected) == ("ethereum", (ALICE, BOB), block)
    assert len(request.cells) == len(set(request.cells))
    of_bob = {asset for wallet, asset in request.cells if wallet == BOB}
    # the owner's collection too; what Alice held is asked of her alone, what a wallet held that is no one's of nobody
    assert of_bob == {
        Asset("ethereum", Kind.NATIVE), Asset("ethereum", Kind.ERC721, OWN), *curated("ethereum"),
        *slice_of("ethereum", 5),
    }  # fmt: skip
    assert {asset for wallet, asset in request.cells if wallet == ALICE} - of_bob == {
        Asset("ethereum", Kind.ERC20, OWN)
    }
    facts = set(request.facts_of)
    assert {Asset("ethereum", Kind.ERC20, OWN), Asset("ethereum", Kind.ERC20, "0x" + "34" * 20)} <= facts
    assert not facts & {Asset("ethereum", Kind.ERC20, USDC), Asset("ethereum", Kind.NATIVE)}
    pair = "eip155:1/erc20:0x" + "56" * 20  # read as a position, and kept when it cannot be read
    assert asked.named["ethereum"] == {"eip155:1/slip44:60", "eip155:1/erc721:" + OWN, pair}
    assert [one.instrument_id for one in asked.declared["ethereum"]] == ["eip155:1/erc721:" + OWN, pair]
    assert plan(known) == asked


def test_mirrors_of_the_native_coin_are_not_asked_even_when_declared() -> None:
    mirror = next(iter(native_mirrors("celo")))
    asked = plan(Known({"celo": [ALICE]}, declared=[Declared(f"eip155:42220/erc20:{mirror}", "token")]))
    assert mirror not in {asset.address for _, asset in asked.requests[0].cells}


def test_an_id_and_its_asset_say_the_same() -> None:
    assets = [
        *(Asset(slug, Kind.NATIVE) for slug in known_slugs()),
        Asset("base", Kind.ERC20, USDC), Asset("base", Kind.ERC721, USDC), Asset("base", Kind.ERC1155, USDC, 2**200),
        Asset("solana", Kind.ERC20, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"),
    ]  # fmt: skip
    assert [asset_of(instrument_id(asset)) for asset in assets] == assets
    assert instrument_id(Asset("base", Kind.ERC1155, USDC, 5)) == f"eip155:8453/erc1155:{USDC}/5"
    for text in ("equity:AAPL", "eip155:1/erc721:" + USDC + "/5", "eip155:64/slip44:60", "eip155:1/erc777:" + USDC):
        assert asset_of(text) is None


def test_every_native_coin_has_an_identity_once() -> None:
    rows = list(known_instruments())
    assert len({row.instrument_id for row in rows}) == len(rows)
    assert len(rows) == len(known_slugs()) + len(canonical_instruments())
    by_id = {row.instrument_id: row for row in rows}
    assert by_id["eip155:42161/slip44:60"][1:] == ("arbitrum", None, "ETH", 18, None, None, None, "crypto:ETH")
    assert by_id["eip155:100/slip44:60"].canonical_instrument is None
    assert by_id["bip122:000000000019d6689c085ae165831e93/slip44:0"].canonical_instrument == "crypto:BTC"
