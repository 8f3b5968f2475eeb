"""portfolios.yaml: who holds what, where.

Belongs here: the keys of the file, portfolio by portfolio, and what must hold between them.
Must not be here: the rules of a policy (policy_yaml) and of limits (limits_yaml), YAML itself (yaml_reader), the
database.
"""

import re
from decimal import Decimal

from assets.registry.addresses import Family, family_of, wallet_address
from assets.registry.groups import Groups
from assets.registry.identifiers import Refusal, fiat_code, instrument_id, suggestion
from assets.registry.limits_yaml import read_limits
from assets.registry.model import Account, KnownPortfolios, Portfolio, PortfoliosFile, PriceSettings
from assets.registry.other_chains import chains_of, family_of_chain, known_slugs
from assets.registry.policy_yaml import read_policy
from assets.registry.problems import Problem
from assets.registry.yaml_reader import DECIMAL, Fields, Node, YamlReader

FILE = "portfolios.yaml"
_PORTFOLIO_ID = re.compile(r"[a-z0-9-]{1,64}")
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_USER_ID = re.compile(r"[^\s\x00-\x1f](?:[^\x00-\x1f]{0,126}[^\s\x00-\x1f])?")
_SLUG = re.compile(r"[a-z0-9_-]{1,64}")
_ENVIRONMENT_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_ROOT_KEYS = ("version", "base_currency", "prices", "portfolios")
_PORTFOLIO_KEYS = (
    "id", "user_id", "name", "base_currency", "cost_basis", "lot_scope", "cash", "allow_short", "benchmark",
    "risk_free_rate", "accounts", "targets", "policy", "limits", "tax_rates",
)  # fmt: skip
_ACCOUNT_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # kind: (required, optional)
    "wallet": (("address", "chains"), ()),
    "exchange": (("exchange",), ("credentials_env", "margin")),
    "broker": (("broker",), ("credentials_env", "margin")),
    "manual": ((), ("margin",)),
}
_ALL_ACCOUNT_KEYS = ("id", "kind", "address", "chains", "exchange", "broker", "credentials_env", "margin")
_EXACT_SUM = Decimal("1e-6")


def read_portfolios(data: bytes, groups: Groups) -> tuple[PortfoliosFile | None, KnownPortfolios | None, list[Problem]]:
    """Read portfolios.yaml.

    Args:
        data: the file's bytes.
        groups: those that an instrument can belong to (`known_groups`).

    Returns:
        The file's content (None when there is any problem); what other files may refer to (None when not even that
        can be told); all problems, each with line and column.
    """
    reader = YamlReader(FILE)
    root = reader.document(data)
    if root is None:
        return None, None, list(reader.problems)
    fields = reader.mapping(root, "portfolios.yaml", _ROOT_KEYS, ("version", "portfolios"))
    reader.choice(fields.get("version"), "version", ("1",))
    base = reader.checked(fields.get("base_currency"), "base_currency", fiat_code) or "USD"
    prices = _prices(reader, fields.get("prices"))
    nodes = reader.sequence(fields["portfolios"], "portfolios") if "portfolios" in fields else []
    portfolios = [_portfolio(reader, node, base, groups) for node in nodes]
    _unique(reader, nodes, [portfolio.id for portfolio in portfolios], "portfolio id")
    known = KnownPortfolios(
        {portfolio.id: frozenset(account.id for account in portfolio.accounts) for portfolio in portfolios},
        {portfolio.id: portfolio.cash for portfolio in portfolios},
    )
    # A portfolio or account whose id cannot be read would make every row that names it look wrong.
    is_told = "portfolios" in fields and all(
        portfolio.id and all(account.id for account in portfolio.accounts) for portfolio in portfolios
    )
    problems = list(reader.problems)
    content = None if problems else PortfoliosFile(base, prices, tuple(portfolios))
    return content, known if is_told else None, problems


def _prices(reader: YamlReader, node: Node | None) -> PriceSettings:
    if node is None:
        return PriceSettings()
    fields = reader.mapping(node, "prices", ("resolution", "sources"))
    resolution = reader.choice(fields.get("resolution"), "prices.resolution", ("1d", "1h", "15m")) or "1d"
    nodes = reader.sequence(fields["sources"], "prices.sources") if "sources" in fields else []
    sources = [reader.matching(item, "a price source", _SLUG, "a name such as binance") or "" for item in nodes]
    _unique(reader, nodes, sources, "price source")
    return PriceSettings(resolution, tuple(sources))


def _portfolio(reader: YamlReader, node: Node, base: str, groups: Groups) -> Portfolio:
    fields = reader.mapping(node, "a portfolio", _PORTFOLIO_KEYS, ("id", "user_id", "accounts"))
    name = fields.get("id")
    portfolio_id = reader.matching(name, "id", _PORTFOLIO_ID, "1 to 64 of a-z, 0-9 and -") or ""
    user_id = reader.matching(fields.get("user_id"), "user_id", _USER_ID, "1 to 128 characters on one line") or ""
    cash = reader.choice(fields.get("cash"), "cash", ("ledger", "implicit")) or "ledger"
    short_rate, long_rate = _tax_rates(reader, fields.get("tax_rates"))
    return Portfolio(
        id=portfolio_id,
        user_id=user_id,
        name=reader.text(fields.get("name"), "name") or portfolio_id,
        base_currency=reader.checked(fields.get("base_currency"), "base_currency", fiat_code) or base,
        cost_basis=reader.choice(fields.get("cost_basis"), "cost_basis", ("FIFO", "LIFO", "HIFO", "ACB")) or "FIFO",
        lot_scope=reader.choice(fields.get("lot_scope"), "lot_scope", ("account", "portfolio")) or "account",
        cash=cash,
        allow_short=reader.boolean(fields.get("allow_short"), "allow_short") or False,
        benchmark=reader.checked(fields.get("benchmark"), "benchmark", instrument_id),
        risk_free_rate=reader.checked(fields.get("risk_free_rate"), "risk_free_rate", _risk_free_rate) or "0",
        accounts=_accounts(reader, fields, cash),
        targets=_targets(reader, fields.get("targets")),
        policy=read_policy(reader, fields["policy"], groups) if "policy" in fields else None,
        tax_rate_short=short_rate,
        tax_rate_long=long_rate,
        limits=read_limits(reader, fields.get("limits")),
        line=node.start_mark.line + 1,
    )


def _tax_rates(reader: YamlReader, node: Node | None) -> tuple[Decimal | None, Decimal | None]:
    """What a gain is taxed at, held for up to a year and for longer; both or neither."""
    if node is None:
        return None, None
    fields = reader.mapping(node, "tax_rates", ("short", "long"), ("short", "long"))
    return (
        reader.decimal(fields.get("short"), "tax_rates.short", "0", "0.99"),
        reader.decimal(fields.get("long"), "tax_rates.long", "0", "0.99"),
    )


def _risk_free_rate(text: str) -> str:
    """A fraction per year, or an instrument whose quotes are rates."""
    if DECIMAL.fullmatch(text):
        if -1 < Decimal(text) < 1:
            return text
        raise Refusal("a fraction per year above -1 and below 1, or an instrument id", "2 % is 0.02")
    if text.partition(":")[0] in ("bond", "rate"):
        return instrument_id(text)
    raise Refusal("a decimal such as 0.02, or an instrument id such as bond:US3M or rate:US3M", "change it")


def _accounts(reader: YamlReader, fields: Fields, cash: str) -> tuple[Account, ...]:
    if "accounts" not in fields:
        return ()
    nodes = reader.sequence(fields["accounts"], "accounts", "add e.g. {id: main, kind: manual}")
    accounts = [_account(reader, node) for node in nodes]
    _unique(reader, nodes, [account.id for account in accounts], "account id of one portfolio")
    seen: dict[tuple[str, str], int] = {}
    for node, account in zip(nodes, accounts, strict=True):
        line = node.start_mark.line + 1
        if account.margin and cash == "implicit":
            remedy = "leave margin out, or choose cash: ledger"
            reader.problem(node, "no margin with cash: implicit, which holds no cash", remedy, account.id)
        twice = [chain for chain in account.chains if (account.address or "", chain) in seen]
        if account.address and twice:
            first = seen[account.address, twice[0]]
            reader.problem(
                node,
                "one wallet once in one portfolio",
                f"the same address on {twice[0]} stands at line {first} already: keep one of the two",
                account.address,
            )
        seen |= {(account.address, chain): line for chain in account.chains if account.address and chain not in twice}
    return tuple(accounts)


def _account(reader: YamlReader, node: Node) -> Account:
    fields = reader.mapping(node, "an account", _ALL_ACCOUNT_KEYS, ("id", "kind"))
    account_id = reader.matching(fields.get("id"), "id", _ACCOUNT_ID, "1 to 64 letters, digits, dots, - and _") or ""
    kind = reader.choice(fields.get("kind"), "kind", tuple(_ACCOUNT_KEYS))
    if kind is None:
        return Account(account_id, "")
    required, optional = _ACCOUNT_KEYS[kind]
    for key in required:
        if key not in fields:
            reader.problem(node, f"the key {key} in an account of kind {kind}", f"add {key}")
    for key in fields:
        if key not in ("id", "kind", *required, *optional):
            reader.problem(fields[key], f"no key {key} in an account of kind {kind}", f"remove {key}, or change kind")
    address, chains = _wallet(reader, fields) if kind == "wallet" else (None, ())
    return Account(
        id=account_id,
        kind=kind,
        address=address,
        chains=chains,
        exchange=reader.matching(fields.get("exchange"), "exchange", _SLUG, "a ccxt id such as kraken"),
        broker=reader.matching(fields.get("broker"), "broker", _SLUG, "a name such as alpaca"),
        credentials_env=reader.matching(
            fields.get("credentials_env"),
            "credentials_env",
            _ENVIRONMENT_NAME,
            "the name of environment variables in capitals, such as KRAKEN for KRAKEN_KEY and KRAKEN_SECRET",
        ),
        margin=reader.boolean(fields.get("margin"), "margin") or False,
    )


def _wallet(reader: YamlReader, fields: Fields) -> tuple[str | None, tuple[str, ...]]:
    """Address and chains, which must be of one family; `all` means the chains of the address's own."""
    slugs = _chains(reader, fields["chains"]) if "chains" in fields else ()
    families = dict.fromkeys(family_of_chain(slug) for slug in slugs if slug != "all")
    if len(families) > 1:
        reader.problem(
            fields["chains"],
            "chains on which one address can be",
            f"{' and '.join(families)} addresses differ: make an account for each",
            ", ".join(slugs),
        )
    family = next(iter(families)) if len(families) == 1 else None
    address = reader.checked(fields.get("address"), "address", lambda text: wallet_address(text, family))
    if slugs == ("all",):
        return address, chains_of(family_of(address or "") or Family.EVM)
    return address, slugs


def _chains(reader: YamlReader, node: Node) -> tuple[str, ...]:
    nodes = reader.sequence(node, "chains", "name chains, or write [all]")
    slugs = [reader.checked(item, "a chain", _chain) or "" for item in nodes]
    _unique(reader, nodes, slugs, "chain of one account")
    if "all" in slugs:
        if len(slugs) > 1:
            reader.problem(node, "[all] alone, or a list of chains", "keep one of the two", "all")
        return ("all",)
    return tuple(slug for slug in slugs if slug)


def _chain(text: str) -> str:
    known = known_slugs()
    if text == "all" or text in known:
        return text
    near = suggestion(text, known) or "`holdfast chains` lists them"
    raise Refusal("the slug of a known chain, such as ethereum or arbitrum, or all", near)


def _targets(reader: YamlReader, node: Node | None) -> dict[str, Decimal]:
    """Fixed target weights by instrument: fractions that add up to 1."""
    if node is None:
        return {}
    targets: dict[str, Decimal] = {}
    pairs = reader.pairs(node, "targets")
    for _, key_node, value in pairs:
        instrument = reader.checked(key_node, "a target's instrument", instrument_id)
        weight = reader.decimal(value, "a target's weight", "0", "1")
        if instrument is None or weight is None:
            continue
        if instrument in targets:
            reader.problem(key_node, "each instrument once in targets", "keep one of the two")
        targets[instrument] = weight
    total = sum(targets.values(), Decimal(0))
    if len(targets) == len(pairs) and abs(total - 1) > _EXACT_SUM:
        remedy = "lower some of them" if total > 1 else "add what is missing, for instance cash (fiat:USD)"
        reader.problem(node, "target weights that add up to 1", remedy, f"sum {total}")
    return targets


def _unique(reader: YamlReader, nodes: list[Node], values: list[str], what: str) -> None:
    seen: dict[str, int] = {}
    for node, value in zip(nodes, values, strict=True):
        line = node.start_mark.line + 1
        if value and value in seen:
            reader.problem(node, f"each {what} once", f"it stands at line {seen[value]} already: rename one", value)
        seen.setdefault(value, line)
