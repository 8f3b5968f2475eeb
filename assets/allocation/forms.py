"""Which target a holding counts towards, where one asset is held in several forms (ether on Ethereum and on Arbitrum).

Belongs here: from forms to the names that targets have, and holdings and lots under these names. Must not be here:
which form is of which asset (int_instruments), SQL, weights.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter

from assets.allocation.model import AllocationPolicy
from assets.rebalancing.model import Holding
from assets.rebalancing.taxes import OpenLot

_BY_INSTRUMENT = attrgetter("instrument_id")


def counted_as(held: Iterable[str], named: Collection[str], economic: Mapping[str, str]) -> dict[str, str]:
    """Held instruments that no target names, with the named one of the same economic asset.

    Args:
        held: instruments.
        named: by targets, a universe, or `names_of_held`.
        economic: instrument -> economic asset; one that is missing is its own.
    """
    # the asset itself before its forms, and of these the first
    ranked = sorted(named, key=lambda name: (economic.get(name, name) != name, name), reverse=True)
    by_asset = {economic.get(name, name): name for name in ranked}
    found = {name: by_asset.get(economic.get(name, name)) for name in held if name not in named}
    return {name: target for name, target in found.items() if target is not None}


def names_of_held(held: Iterable[str], policy: AllocationPolicy, economic: Mapping[str, str]) -> set[str]:
    """Candidates of a universe `held`: several forms of one asset are one candidate, named as the asset.

    As two they would be two assets that always move alike, and the weights between them would mean nothing. Where
    limits speak of chains, protocols or categories, which forms have, each stays its own; and so it does where a view
    names one of them.
    """
    names = set(held)
    if any(limit.by != "asset_class" for limit in policy.group_limits):
        return names
    forms: dict[str, set[str]] = defaultdict(set)
    for name in names:
        forms[economic.get(name, name)].add(name)
    viewed = {name for view in policy.views for name in (view.instrument, view.over)}
    found: set[str] = set()
    for asset, of_asset in forms.items():
        is_one = len(of_asset) > 1 and not (of_asset - {asset}) & viewed
        found |= {asset} if is_one else of_asset
    return found


def merged(holdings: Iterable[Holding], counted: Mapping[str, str]) -> list[Holding]:
    """Holdings, one per instrument, under the names that they count as, in order.

    The value of what one part of has no price is None.
    """
    if not counted:
        return sorted(holdings, key=_BY_INSTRUMENT)
    found: dict[str, Holding] = {}
    for holding in holdings:
        name = counted.get(holding.instrument_id, holding.instrument_id)
        other = found.get(name)
        value = holding.value_base
        if other is not None:
            value = None if value is None or other.value_base is None else value + other.value_base
        quantity = holding.quantity + (0 if other is None else other.quantity)
        found[name] = Holding(name, quantity, value)
    return [found[name] for name in sorted(found)]


def relabelled(lots: Iterable[OpenLot], counted: Mapping[str, str]) -> list[OpenLot]:
    """Lots under the same names."""
    if not counted:
        return [*lots]
    return [lot._replace(instrument_id=counted.get(lot.instrument_id, lot.instrument_id)) for lot in lots]
