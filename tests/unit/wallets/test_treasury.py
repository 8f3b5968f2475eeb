"""The demo's wallets and made-up balances: the same on every machine, of tokens that a run asks for."""

from __future__ import annotations

from assets.registry.chains import chains
from assets.wallets.demo.treasury import made_up_balances, treasury_wallets
from assets.wallets.model import Kind
from assets.wallets.planning import Known, plan


def test_real_wallets_on_25_chains_each_once() -> None:
    wallets = treasury_wallets()
    assert len(wallets) == 25
    assert sum(map(len, wallets.values())) == 27  # 29 rows: an address stands there once for each of its markets
    assert all(len(set(addresses)) == len(addresses) for addresses in wallets.values())


def test_every_made_up_balance_is_asked_for_by_a_first_run() -> None:
    wallets = treasury_wallets()
    asked = {cell for request in plan(Known(wallets)).requests for cell in request.cells}
    for slug, addresses in wallets.items():
        balances = made_up_balances(slug, addresses)
        assert {(one.wallet, one.asset) for one in balances} <= asked
        assert {one.wallet for one in balances if one.asset.kind is Kind.NATIVE} == set(addresses)


def test_amounts_are_those_of_every_other_machine() -> None:
    [wallet, _] = treasury_wallets()["ethereum"]
    native, *tokens = made_up_balances("ethereum", [wallet])
    assert chains()["ethereum"].native_decimals == 18
    assert native.raw_amount == 7676 * 10**16
    assert all(one.raw_amount > 0 for one in tokens)
