"""What to ask of each chain in one run, from what is known so far.

Belongs here: which assets of which wallets, in which run. Must not be here: SQL (store), calls (engine), what a token
counts for (dbt's int_instruments).

For every wallet: the native coin, what it held before, what the owner declared, the curated tokens of the chain, and
one slice of all other listed tokens; so that after `SLICES` reads of a chain its whole list has been asked. A token is
curated when two of the lists name it, or Aave's, whose reserves are stablecoins and other large tokens.
What was to be read and was not, and what a log told of, is asked before all else, the oldest first: so all is read
after some reads of a chain that takes more time than it has.
Mirrors of the native coin are in no list. What readers of positions read (aTokens, debt tokens, pairs, staked ether,
what the owner declared as such) is left out, since it would count twice.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from assets.registry.chains import chains
from assets.registry.other_chains import known_slugs
from assets.wallets.identity import asset_of, chain_of, instrument_id
from assets.wallets.model import Asset, Block, ChainRequest, Kind
from assets.wallets.positions.declared import Declared
from assets.wallets.positions.readers import receipts
from assets.wallets.reference import Token, native_mirrors, tokens

#: Reads of a chain in which all of its listed tokens come up.
SLICES = 24
_CURATED_LIST = "aave-address-book"


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows before a read.

    Attributes:
        wallets: addresses by chain, each once, of active portfolios.
        declared: what the owner's instruments.csv gives a chain and an address.
        held: wallet and instrument by chain: what was more than zero when it was last read; positions left out.
        facts: instruments whose decimals are known.
        wanted_facts: instruments by chain whose decimals or symbol are needed, besides what is asked.
        blocks: the last block that counts, by chain.
        turns: reads so far, by chain.
        unread: wallet and instrument by chain: what is still to be read, oldest first.
    """

    wallets: Mapping[str, Sequence[str]]
    declared: Sequence[Declared] = ()
    held: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    facts: Collection[str] = frozenset()
    wanted_facts: Mapping[str, Collection[str]] = field(default_factory=dict)
    blocks: Mapping[str, Block] = field(default_factory=dict)
    turns: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """One run's questions.

    Attributes:
        requests: one for each chain.
        named: instruments by chain that a cell is kept of even when it is zero: native coin and declared tokens.
        held: wallet and instrument by chain, whose cells are kept whatever becomes of them.
        declared: by chain, for the readers of positions.
    """

    requests: tuple[ChainRequest, ...]
    named: Mapping[str, frozenset[str]]
    held: Mapping[str, frozenset[tuple[str, str]]]
    declared: Mapping[str, Sequence[Declared]] = field(default_factory=dict)


def plan(known: Known) -> Plan:
    """The questions of one run; the same knowledge gives the same questions.

    Chains that no list knows are left out: an application may have written them into the registry.
    """
    declared: dict[str, list[Declared]] = {}
    for one in known.declared:
        slug = chain_of(one.instrument_id)
        if slug is not None:
            declared.setdefault(slug, []).append(one)
    readable = set(known_slugs())
    slugs = [slug for slug in known.wallets if slug in readable and known.wallets[slug]]
    requests, named, held = [], {}, {}
    for slug in slugs:
        of_chain = declared.get(slug, [])
        elsewhere = receipts(slug, of_chain) | native_mirrors(slug) if slug in chains() else frozenset()
        tokens_of = (asset_of(one.instrument_id) for one in of_chain)
        own = [Asset(slug, Kind.NATIVE), *(a for a in tokens_of if a and a.address and a.address not in elsewhere)]
        listed = (*curated(slug), *slice_of(slug, known.turns.get(slug, 0)))
        asked = tuple(dict.fromkeys((*own, *(asset for asset in listed if asset.address not in elsewhere))))
        requests.append(_request(slug, asked, elsewhere, known))
        named[slug] = frozenset([*map(instrument_id, own), *(one.instrument_id for one in of_chain)])
        held[slug] = frozenset(known.held.get(slug, ()))
    return Plan(tuple(requests), named, held, declared)


def _request(slug: str, asked: tuple[Asset, ...], elsewhere: frozenset[str], known: Known) -> ChainRequest:
    wallets = known.wallets[slug]
    present, behind = set(wallets), dict[str, Asset | None]()

    def known_cells(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Asset]]:
        for wallet, instrument in pairs:
            if instrument not in behind:
                behind[instrument] = asset_of(instrument)
            asset = behind[instrument]
            if asset is not None and wallet in present and asset.address not in elsewhere:
                yield wallet, asset

    unread = tuple(known_cells(known.unread.get(slug, ())))
    of_all = ((wallet, asset) for wallet in wallets for asset in asked)
    cells = tuple(dict.fromkeys((*unread, *of_all, *known_cells(known.held.get(slug, ())))))
    assets = dict.fromkeys((*asked, *(asset for _, asset in cells)))
    for instrument in known.wanted_facts.get(slug, ()):
        asset = asset_of(instrument)
        if asset is not None:
            assets[asset] = None
    facts_of = [a for a in assets if a.kind is not Kind.NATIVE and instrument_id(a) not in known.facts]
    return ChainRequest(slug, cells, facts_of, tuple(wallets), known.blocks.get(slug), len(unread))


@cache
def curated(slug: str) -> tuple[Asset, ...]:
    """Tokens of a chain that every run asks for."""
    return tuple(_asset(token.chain, token.address) for token in _listed(slug) if _is_curated(token.sources))


def slice_of(slug: str, turn: int) -> tuple[Asset, ...]:
    """The part of a chain's other listed tokens that its read number `turn` asks for."""
    return _rest(slug)[turn % SLICES :: SLICES]


@cache
def _rest(slug: str) -> tuple[Asset, ...]:
    return tuple(_asset(token.chain, token.address) for token in _listed(slug) if not _is_curated(token.sources))


def _listed(slug: str) -> list[Token]:
    if slug not in chains():
        return []
    read_elsewhere = receipts(slug)
    return [token for token in tokens(slug) if token.address not in read_elsewhere]


def _is_curated(sources: Sequence[str]) -> bool:
    return len(sources) > 1 or _CURATED_LIST in sources


def _asset(slug: str, address: str) -> Asset:
    return Asset(slug, Kind.ERC20, address)
