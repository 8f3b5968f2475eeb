"""The groups that inputs may name are those that readers of positions write."""

import polars as pl

from assets.allocation.model import GROUP_DEFAULTS
from assets.registry.chains import chains
from assets.registry.groups import CATEGORIES, PROTOCOLS, known_groups
from assets.wallets.positions import aave_v3, compound_v3, declared, staked, uniswap_v2, uniswap_v3, vaults, vesting
from assets.wallets.reference import position_contracts, uniswap_v2_pairs


def test_every_protocol_and_category_that_a_position_can_have_is_known() -> None:
    reviewed = {one.protocol for slug in chains() for one in (*position_contracts(slug), *uniswap_v2_pairs(slug))}
    token = "eip155:1/{}:0x00000000000000000000000000000000000000Aa{}"
    own = [
        declared.Declared(token.format("erc721", ""), "nft"),
        declared.Declared(token.format("erc1155", "/1"), "nft"),
        declared.Declared(token.format("erc20", ""), "lp_token"),
        declared.Declared(token.format("erc20", ""), "staked"),
        declared.Declared(token.format("erc20", ""), "vested"),
    ]
    given = [*declared.nfts(own), *declared.pairs(own), *declared.shares(own), *declared.vested(own)]
    modules = (aave_v3, compound_v3, uniswap_v3, vesting)
    assert {*reviewed, *(one.protocol for one in given), *(one.PROTOCOL for one in modules)} == {*PROTOCOLS}
    modules_with_category = (*modules, staked, uniswap_v2, vaults)
    assert {*(one.category for one in given), *(one.CATEGORY for one in modules_with_category)} == {*CATEGORIES}


def test_what_is_in_no_group_has_the_name_of_the_mart() -> None:
    known = known_groups(pl.DataFrame(schema={"protocol": pl.String, "category": pl.String}))
    for by, names in known.items():
        assert GROUP_DEFAULTS[by] in names
