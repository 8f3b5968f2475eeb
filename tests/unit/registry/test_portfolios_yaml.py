from decimal import Decimal

import polars as pl
import pytest

from assets.registry.groups import known_groups
from assets.registry.model import Account, GroupLimit, Limit, View
from assets.registry.portfolios_yaml import read_portfolios

GROUPS = known_groups(pl.DataFrame(schema={"protocol": pl.String, "category": pl.String}))
ADDRESS = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
KEY = "4c0883a69102937d6231471b5dbb6204fe512961708279feb1be6ae5538da033"

FULL = f"""
version: 1
base_currency: USD
prices: {{resolution: 1d, sources: [binance, kraken, coinbase, yahoo, ecb]}}
portfolios:
  - id: alice-main
    user_id: alice
    name: Main
    base_currency: EUR
    cost_basis: HIFO
    lot_scope: portfolio
    cash: implicit
    allow_short: true
    benchmark: etf:SPY
    risk_free_rate: "0.02"
    accounts:
      - {{id: ledger-nano, kind: wallet, address: "{ADDRESS}", chains: [ethereum, arbitrum]}}
      - {{id: kraken, kind: exchange, exchange: kraken, credentials_env: KRAKEN}}
      - {{id: broker, kind: broker, broker: alpaca, credentials_env: ALPACA}}
      - {{id: cash-box, kind: manual}}
    targets: {{crypto:BTC: 0.4, crypto:ETH: 0.3, fiat:USD: 0.3}}
    tax_rates: {{short: "0.37", long: "0.20"}}
    policy:
      objective: max_sharpe
      universe: held
      target: "0.15"
      confidence: "0.95"
      views: [{{instrument: crypto:ETH, over: crypto:BTC, return: "0.05", confidence: "0.6"}}]
      min_weight: "0"
      lookback_days: 365
      expected_returns: mean
      covariance: ledoit_wolf
      group_limits: [{{by: asset_class, group: crypto, min: "0", max: "0.6"}}]
      max_weight: 0.5
      min_assets: 5
      rebalance_band: 0.05
      min_holding: "0.02"
      max_assets: 8
      max_turnover: "0.3"
      trading_costs: {{spread: "0.001", impact: "0.5"}}
      selection: exact
      weight_intervals: true
"""


def with_portfolio(text: str) -> bytes:
    """One portfolio of five fixed lines (2 to 6), then the given ones from line 7 on, indented by four."""
    lines = "\n".join("    " + line for line in text.splitlines())
    head = "version: 1\nportfolios:\n  - id: p\n    user_id: u\n    name: n\n"
    accounts = "" if "accounts:" in text else "    accounts: [{id: a, kind: manual}]\n"
    return (head + accounts + lines + "\n").encode()


def problems_of(data: bytes) -> list[str]:
    content, _, problems = read_portfolios(data, GROUPS)
    assert (content is None) == bool(problems)
    return [str(problem) for problem in problems]


def test_the_contract_s_example_reads_in_full() -> None:
    content, known, problems = read_portfolios(FULL.encode(), GROUPS)
    assert not problems
    assert content is not None
    assert known is not None
    assert content.prices.sources == ("binance", "kraken", "coinbase", "yahoo", "ecb")
    portfolio = content.portfolios[0]
    assert (portfolio.base_currency, portfolio.cost_basis, portfolio.lot_scope) == ("EUR", "HIFO", "portfolio")
    assert (portfolio.cash, portfolio.allow_short, portfolio.risk_free_rate) == ("implicit", True, "0.02")
    assert (portfolio.tax_rate_short, portfolio.tax_rate_long) == (Decimal("0.37"), Decimal("0.20"))
    assert portfolio.accounts[0] == Account("ledger-nano", "wallet", ADDRESS, ("ethereum", "arbitrum"))
    assert portfolio.accounts[1] == Account("kraken", "exchange", exchange="kraken", credentials_env="KRAKEN")
    assert portfolio.targets == {"crypto:BTC": Decimal("0.4"), "crypto:ETH": Decimal("0.3"), "fiat:USD": Decimal("0.3")}
    policy = portfolio.policy
    assert policy is not None
    assert (policy.min_holding, policy.max_assets, policy.max_turnover) == (Decimal("0.02"), 8, Decimal("0.3"))
    assert (policy.cost_spread, policy.cost_impact, policy.selection) == (Decimal("0.001"), Decimal("0.5"), "exact")
    assert policy.weight_intervals
    assert policy.views == (View("crypto:ETH", "crypto:BTC", Decimal("0.05"), Decimal("0.6")),)
    assert policy.group_limits == (GroupLimit("asset_class", "crypto", Decimal(0), Decimal("0.6")),)
    assert (policy.max_weight, policy.min_assets) == (Decimal("0.5"), 5)
    assert known.accounts == {"alice-main": frozenset({"ledger-nano", "kraken", "broker", "cash-box"})}


def test_defaults() -> None:
    content, _, _ = read_portfolios(
        b"version: 1\nportfolios:\n- id: p\n  user_id: 1e5\n  accounts: [{id: 0x10, kind: manual}]",
        GROUPS,
    )
    assert content is not None
    portfolio = content.portfolios[0]
    assert (portfolio.name, portfolio.base_currency, portfolio.cash, portfolio.cost_basis) == (
        "p",
        "USD",
        "ledger",
        "FIFO",
    )
    # scalars stay as written: no number, no hexadecimal
    assert (portfolio.user_id, portfolio.accounts[0].id) == ("1e5", "0x10")


def test_all_chains_are_the_mainnets() -> None:
    content, _, _ = read_portfolios(
        with_portfolio(f"accounts: [{{id: w, kind: wallet, address: '{ADDRESS.lower()}', chains: [all]}}]"),
        GROUPS,
    )
    assert content is not None
    wallet = content.portfolios[0].accounts[0]
    assert wallet.address == ADDRESS
    assert {"ethereum", "arbitrum", "base"} <= set(wallet.chains)
    assert "sepolia" not in wallet.chains


BITCOIN = "bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv"
SOLANA = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"


@pytest.mark.parametrize(
    ("address", "chains", "expected"),
    [
        (BITCOIN, "bitcoin", (BITCOIN, ("bitcoin",))),
        (BITCOIN.upper(), "all", (BITCOIN, ("bitcoin",))),
        ("36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm", "bitcoin", ("36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm", ("bitcoin",))),
        (SOLANA, "solana", (SOLANA, ("solana",))),
        (SOLANA, "all", (SOLANA, ("solana",))),
    ],
)
def test_wallets_of_other_families(address: str, chains: str, expected: tuple[str, tuple[str, ...]]) -> None:
    content, _, problems = read_portfolios(with_portfolio(wallet(f"address: '{address}', chains: [{chains}]")), GROUPS)
    assert not problems
    assert content is not None
    [account] = content.portfolios[0].accounts
    assert (account.address, account.chains) == expected


def wallet(more: str) -> str:
    return f"accounts: [{{id: w, kind: wallet, {more}}}]"


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("cost_bases: FIFO", "7:5", "did you mean cost_basis?"),
        ("name: again", "7:5", "stands at line 5 already"),
        ("cost_basis: fifo", "7:17", "did you mean FIFO?"),
        ("lot_scope: all", "7:16", "account, portfolio"),
        ("cash: none", "7:11", "ledger, implicit"),
        ("allow_short: yes", "7:18", "true, false"),
        ("accounts: [{id: w, kind: manual, margin: yes}]", "6:46", "true, false"),
        (wallet(f"margin: true, address: '{ADDRESS}', chains: [ethereum]"), "6:46", "no key margin in an account of kind wallet"),
        ("cash: implicit\naccounts: [{id: w, kind: manual, margin: true}]", "7:16", "no margin with cash: implicit"),
        ("base_currency: EURO", "7:20", "ISO 4217"),
        ("base_currency: crypto:BTC", "7:20", "fiat currency"),
        ("benchmark: SPY", "7:16", "instrument id"),
        ("risk_free_rate: 2", "7:21", "2 % is 0.02"),
        ('tax_rates: {short: "37", long: "0.2"}', "7:24", "0.99"),
        ('tax_rates: {short: "0.37"}', "7:16", "long"),
        ("risk_free_rate: equity:AAPL", "7:21", "bond:US3M"),
        ("risk_free_rate:", "7:20", "a value for risk_free_rate"),
        ("targets: {crypto:BTC: 0.6, crypto:ETH: 0.6}", "7:14", '"sum 1.2"'),
        ("targets: {crypto:BTC: 0.6}", "7:14", '"sum 0.6"'),
        ("targets: {crypto:BTC: 60}", "7:27", "5 % is 0.05"),
        ("targets: {crypto:BTC: -0.5, fiat:USD: 1}", "7:27", "from 0 to 1"),
        ("targets: {BTC: 1}", "7:15", "instrument id"),
        ("targets: {crypto:BTC: nan}", "7:27", "a decimal"),
        ("accounts: [{id: a, kind: manual}, {id: a, kind: manual}]", "6:39", "each account id of one portfolio once"),
        ("accounts: []", "6:15", "at least one entry"),
        ("accounts: [{id: a, kind: bank}]", "6:30", "wallet, exchange, broker, manual"),
        ("accounts: [{id: a, kind: exchange}]", "6:16", "the key exchange"),
        ("accounts: [{id: a, kind: broker}]", "6:16", "the key broker"),
        ("accounts: [{id: a, kind: manual, address: x}]", "6:47", "no key address"),
        ("accounts: [{id: a, kind: exchange, exchange: kraken, credentials_env: my-secret}]", "6:75", "in capitals"),
        (wallet("chains: [ethereum]"), "6:16", "the key address"),
        (wallet(f"address: '{ADDRESS}'"), "6:16", "the key chains"),
        (wallet("address: '0x123', chains: [ethereum]"), "6:47", "40 hexadecimal digits"),
        (wallet(f"address: '{ADDRESS[:-1]}9', chains: [ethereum]"), "6:47", "EIP-55"),
        (wallet(f"address: '{ADDRESS}', chains: [etherum]"), "6:102", "did you mean ethereum?"),
        (wallet(f"address: '{ADDRESS}', chains: [all, base]"), "6:101", "[all] alone"),
        (wallet(f"address: '{BITCOIN}', chains: [ethereum]"), "6:47", "this is a Bitcoin address"),
        (wallet(f"address: '{ADDRESS}', chains: [bitcoin]"), "6:47", "a Bitcoin address, because chains names"),
        (wallet(f"address: '{SOLANA}', chains: [bitcoin]"), "6:47", "this is a Solana address"),
        (wallet(f"address: '{BITCOIN[:-1]}w', chains: [bitcoin]"), "6:47", "checksum that does not hold"),
        (wallet(f"address: '{ADDRESS}', chains: [ethereum, bitcoin]"), "6:101", "an account for each"),
        (wallet("address: 'vitalik.eth', chains: [all]"), "6:47", "of Bitcoin (bc1…, 1…, 3…) or of Solana"),
        ("policy: {objective: herc, max_assets: 3}", "7:43", "holds every instrument"),
        ("policy: {objective: hrp, trading_costs: {spread: 0.001}}", "7:45", "max_sharpe, efficient_risk"),
        ("policy: {objective: max_sharpe, trading_costs: {impact: 1}}", "7:52", "the key spread"),
        ("policy: {objective: max_sharpe, selection: annealing}", "7:48", "the key max_assets"),
        ("policy: {objective: cvar, weight_intervals: true}", "7:49", "an objective of: min_volatility"),
        ("policy: {objective: cvar, max_assets: 3, selection: annealing}", "7:57", "selection: exact with cvar"),
        ("policy: {objective: cvar, min_holding: 0.3, max_weight: 0.2}", "7:44", "not above max_weight 0.2"),
        ("policy: {objective: cvar, min_holding: 0.3, min_weight: 0.2}", "7:44", "not both"),
        ("policy: {objective: cvar, min_holding: 0.3, min_assets: 4}", "7:44", "4 × 0.3 = 1.2"),
        ("policy: {objective: cvar, max_assets: 3, min_assets: 4}", "7:43", "at least min_assets 4"),
        ("policy: {objective: cvar, max_assets: 3, max_weight: 0.3}", "7:43", "3 × 0.3 = 0.9"),
        ("policy: {objective: cvar, max_assets: 3, min_weight: 0.1}", "7:43", "without min_weight"),
        ("policy: {objective: max_sharp}", "7:25", "did you mean max_sharpe?"),
        ("policy: {universe: held}", "7:13", "the key objective"),
        ("policy: {objective: efficient_risk}", "7:25", "the key target"),
        ("policy: {objective: black_litterman}", "7:25", "the key views"),
        ("policy: {objective: cvar, confidence: 1}", "7:43", "above 0 and below 1"),
        ("policy: {objective: hrp, universe: []}", "7:40", "at least one entry"),
        ("policy: {objective: hrp, universe: all}", "7:40", "held"),
        ("policy: {objective: hrp, lookback_days: 1.5}", "7:45", "a whole number"),
        ("policy: {objective: hrp, covariance: ledoit}", "7:42", "did you mean ledoit_wolf?"),
        ("policy: {objective: hrp, min_weight: 0.6, max_weight: 0.5}", "7:59", "min_weight not above max_weight"),
        ("policy: {objective: hrp, min_weight: 0.3, min_assets: 4}", "7:42", "4 × 0.3 = 1.2"),
        ("policy: {objective: hrp, universe: [crypto:BTC, crypto:ETH], max_weight: 0.4}", "7:78", "2 × 0.4 = 0.8"),
        ("policy: {objective: hrp, universe: [crypto:BTC, crypto:ETH], min_assets: 3}", "7:78", "at most 2"),
        ("policy: {objective: hrp, group_limits: [{by: sector, group: a}]}", "7:50", "asset_class, chain"),
        ("policy: {objective: hrp, group_limits: [{by: chain, group: base, min: 0.5, max: 0.4}]}", "7:45",
         "min not above"),
        ("policy: {objective: hrp, group_limits: [{by: chain, group: base, min: 0.6}, {by: chain, group: bsc, min: 1}]}",
         "7:44", "sum 1.6"),
        ("policy: {objective: hrp, group_limits: [{by: asset_class, group: cryptos, max: 0.4}]}", "7:70",
         "did you mean crypto?"),
        ("policy: {objective: hrp, group_limits: [{by: chain, group: polygn, max: 0.4}]}", "7:64",
         '"polygn": expected group: the slug of a known chain, or off_chain; did you mean polygon?'),
        ("policy: {objective: hrp, group_limits: [{by: protocol, group: Aave-v3, max: 0.4}]}", "7:67",
         "a protocol that an instrument can have, one of aave-v3"),
        ("policy: {objective: hrp, group_limits: [{by: category, group: defi, max: 0.4}]}", "7:67",
         "or give an instrument this category in instruments.csv"),
        ("policy: {objective: hrp, views: [{instrument: crypto:BTC}]}", "7:38", "the key return"),
        ("cash: !!bool true", "7:11", "no YAML tags"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_line_and_column(text: str, at: str, says: str) -> None:
    problems = problems_of(with_portfolio(text))
    matching = [problem for problem in problems if problem.startswith(f"portfolios.yaml:{at}:")]
    assert any(says in problem for problem in matching), problems


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b"version: 1\n", "the key portfolios"),
        (b"portfolios: []\n", "the key version"),
        (b"version: 2\nportfolios: []\n", 'portfolios.yaml:1:10: "2": expected version: one of 1'),
        (b"version: 1\nportfolios: [\n", "YAML that can be read"),
        (b"version: 1\nportfolios: {}\n", "portfolios as a list"),
        (b"[" * 100_000, "YAML that can be read"),
        (b"- a\n", "as a mapping"),
        (b"version: 1\nportfolios: []\n---\nversion: 1\n", "another document"),
        (b"version: 1\nportfolios: []\nprices: {resolution: 2h}\n", "1d, 1h, 15m"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(data: bytes, says: str) -> None:
    problems = problems_of(data)
    assert any(says in problem for problem in problems), problems


def test_ids_are_unique_and_all_problems_come_at_once() -> None:
    account = "accounts: [{id: a, kind: manual}]"
    one, two = f"{{id: p, user_id: u, {account}}}", f"{{id: p, user_id: u, cash: x, {account}}}"
    data = f"version: 1\nportfolios:\n- {one}\n- {two}\n- {{id: P!}}"
    problems = problems_of(data.encode())
    assert sum("each portfolio id once" in problem for problem in problems) == 1
    assert len(problems) == 5, problems


def test_one_wallet_twice_in_one_portfolio() -> None:
    one = f"address: '{ADDRESS}', chains: [ethereum, base]"
    two = f"address: '{ADDRESS.lower()}', chains: [base]"
    data = with_portfolio(f"accounts:\n  - {{id: x, kind: wallet, {one}}}\n  - {{id: y, kind: wallet, {two}}}")
    (problem,) = problems_of(data)
    assert problem.startswith("portfolios.yaml:8:9:")
    assert "line 7 already" in problem
    other_chain = with_portfolio(
        f"accounts:\n  - {{id: x, kind: wallet, {one.replace(', base', '')}}}\n  - {{id: y, kind: wallet, {two}}}"
    )
    assert problems_of(other_chain) == []


@pytest.mark.parametrize(
    "text",
    [
        wallet(f"address: '0x{KEY}', chains: [ethereum]"),
        f"benchmark: {KEY}",
        f"{KEY}: x",
        f"# {KEY}",
        "# legal winner thank year wave sausage worth useful legal winner thank yellow",
        "targets: [legal, winner, thank, year, wave, sausage, worth, useful, legal, winner, thank, yellow]",
        "benchmark: https://me:hunter2@example.com",
    ],
)
def test_secrets_are_refused_and_never_shown(text: str) -> None:
    problems = problems_of(with_portfolio(text))
    assert sum("(hidden)" in problem for problem in problems) == 1, problems
    assert not any(KEY in problem or "sausage" in problem or "hunter2" in problem for problem in problems)


def test_a_broken_portfolio_is_still_known_to_other_files() -> None:
    _, known, problems = read_portfolios(with_portfolio("cash: implicit\ncost_basis: x"), GROUPS)
    assert problems
    assert known is not None
    assert known.accounts == {"p": frozenset({"a"})}
    assert known.cash == {"p": "implicit"}


def test_limits_are_read() -> None:
    data = with_portfolio(
        'limits:\n- {metric: var_95_1d, warn: "0.02", fail: "0.05"}\n- {metric: buying_power, warn: 0.1, fail: 0.05}\n'
        "- {metric: leverage, fail: 2}"
    )
    content, _, problems = read_portfolios(data, GROUPS)
    assert problems == []
    assert content is not None
    assert content.portfolios[0].limits == (
        Limit("var_95_1d", Decimal("0.02"), Decimal("0.05")),
        Limit("buying_power", Decimal("0.1"), Decimal("0.05")),
        Limit("leverage", None, Decimal(2)),
    )


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("- {metric: var, fail: 1}", "metric: one of concentration_hhi"),
        ("- {metric: leverage}", "the key warn or fail in a limit; add at least one of them"),
        (
            "- {metric: leverage, warn: 3, fail: 2}",
            "expected warn not above fail in a limit of leverage; swap them",
        ),
        ("- {metric: buying_power, warn: 0.1, fail: 0.2}", "expected warn not below fail in a limit of buying_power"),
        ("- {metric: leverage, fail: 2}\n- {metric: leverage, warn: 2}", "one limit for each metric"),
        ("- {metric: largest_position, fail: 30}", "fail: a decimal from 0 to 1; fractions, not percent"),
        ("- {metric: leverage, fail: x}", "fail: a decimal from -1000 to 1000"),
    ],
)
def test_problems_of_limits(limits: str, says: str) -> None:
    told = problems_of(with_portfolio(f"limits:\n{limits}"))
    assert len(told) == 1
    assert says in told[0]
    assert told[0].startswith("portfolios.yaml:")
