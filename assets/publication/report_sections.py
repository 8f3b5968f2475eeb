"""The sections of the HTML report: header, table of portfolios, one section per portfolio, findings, provenance.

Belongs here: words, numbers as people read them, order. Must not be here: queries (report_reading), shapes of pictures
(report_drawing), styles (report.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from html import escape

from assets.publication.report_drawing import bars, frontier_chart, line_chart
from assets.publication.report_reading import Details, Finding, Header, Optimization, PortfolioLine, Suggestion
from assets.publication.report_risk_reading import Risk

MINUS = "\N{MINUS SIGN}"
_MOST_ROWS = 12
_TAGS = {"info": "note", "warn": "warn"}
_VERDICTS = {"pass": "ok", "warn": "warn", "fail": "error"}
_MOST_BARS = 12
_MOST_PARTITIONS = 6

#: what is shown, the columns it is read from, a word on them
_SOURCES = (
    ("Net value", "marts.portfolio_daily.value_base", "the last day; in USD at that day's usd_rate"),
    ("TWR, MWR, drawdown", "marts.portfolio_performance", "period_type 30d and all, in base currency"),
    ("Weights and targets", "marts.portfolio_allocation", "dimension asset"),
    ("Value by day", "marts.portfolio_daily", "invested: the running sum of inflows less outflows"),
    ("Frontier, chosen point", "marts.efficient_frontier", "and marts.optimization_runs"),
    ("Risk", "marts.portfolio_risk", "historical, of one day; worst of marts.stress_tests; limits in allocation_risk"),
    (
        "Suggested trades",
        "marts.rebalancing_suggestions",
        "against the targets, outside the band, where the trade pays",
    ),
    ("Checks and warnings", "marts.data_quality", "refused rows stand in quality.quarantined_rows"),
    ("A holding, back to its file", "marts.holdings_daily", "names the price's source, raw batch and line"),
)


def money(value: Decimal | float | None) -> str | None:
    """Two places, thousands separators, a real minus sign; None stays None."""
    return None if value is None else f"{value:,.2f}".replace("-", MINUS)


def percent(value: float | None, places: int = 2) -> str | None:
    """A fraction as percent, from 1,000 % on without decimals; None stays None."""
    if value is not None and abs(value) >= 10:
        places = 0
    return None if value is None else f"{100 * value:,.{places}f} %".replace("-", MINUS)


def _axis_percent(value: float) -> str:
    """A fraction beside an axis, with as many places as it needs: −20 %, −0.05 %."""
    return f"{100 * value:.3g} %".replace("-", MINUS)


def short_money(value: float) -> str:
    """A number beside an axis: 12,000 or 1.2 M."""
    for limit, suffix in ((1e9, " bn"), (1e6, " M")):
        if abs(value) >= limit:
            return f"{value / limit:,.4g}{suffix}".replace("-", MINUS)
    return f"{value:,.6g}".replace("-", MINUS)


def moment(at: datetime) -> str:
    """An as-of as people say it: midnight exactly closes the day before."""
    last = at - timedelta(microseconds=1)
    if at.time() == time() or last.date() != (at + timedelta(microseconds=1)).date():
        return f"end of {last:%Y-%m-%d}"
    return f"{at:%Y-%m-%d %H:%M} UTC"


def header(facts: Header) -> str:
    """Publication, as-of and the outcome of the checks."""
    if facts.publication_id is None or facts.as_of is None or facts.published_at is None:
        return (
            "<h1>Portfolio report</h1><p>Nothing has been published yet. Run"
            " <code>holdfast run --inputs DIR</code> first.</p>"
        )
    items = (
        ("publication", f"{facts.publication_id}", ""),
        ("as of", moment(facts.as_of), ""),
        ("portfolios", f"{facts.portfolios:,}", ""),
        ("checks passed", f"{facts.passed:,}", "ok"),
        ("warned", f"{facts.warned:,}", "warn" if facts.warned else ""),
        ("failed", f"{facts.failed:,}", "error" if facts.failed else ""),
    )
    cells = "".join(f'<li><span>{name}</span><b class="{css}">{value}</b></li>' for name, value, css in items)
    when = f"published {facts.published_at:%Y-%m-%d %H:%M:%S} UTC, run {escape(facts.run_id or '')}"
    return f'<h1>Portfolio report</h1><p class="soft">{when}</p><ul class="facts">{cells}</ul>'


def portfolios(lines: Sequence[PortfolioLine], total: int) -> str:
    """The table of portfolios."""
    heads = (
        '<th>Portfolio</th><th class="n">Net value</th><th class="n">in USD</th><th class="n">TWR 30 days</th>'
        '<th class="n">TWR total</th><th class="n">MWR per year</th><th class="n">Max drawdown</th>'
        "<th>Largest weights</th><th>State</th>"
    )
    table = "".join(_row(line) for line in lines[:_MOST_ROWS])
    rest = f'<p class="soft">{len(lines):,} of {total:,} portfolios are shown.</p>' if total > len(lines) else ""
    start = f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>'
    folded = ""
    if len(lines) > _MOST_ROWS:
        more = "".join(_row(line) for line in lines[_MOST_ROWS:])
        folded = (
            f"<details><summary>{len(lines) - _MOST_ROWS} more portfolios</summary>"
            f"{start}{more}</tbody></table></div></details>"
        )
    return f"<h2>Portfolios</h2>{start}{table}</tbody></table></div>{folded}{rest}"


def portfolio(details: Details) -> str:
    """Value, drawdown, allocation and frontier of one portfolio."""
    line = details.line
    value = [(day, value) for day, value, _, _ in details.days]
    invested: list[tuple[object, float | None]] = [(day, amount) for day, _, amount, _ in details.days]
    drawdown = [(day, fall) for day, _, _, fall in details.days]
    base = escape(line.base_currency)
    name = escape(line.name)
    figures = (
        ("net value", _or_dash(money(line.value_base), line.reasons["value_base"]) + f" {base}"),
        ("TWR total", _or_dash(percent(line.twr_all), line.reasons["twr_all"])),
        ("MWR per year", _or_dash(percent(line.mwr_all), line.reasons["mwr_all"])),
        ("volatility", _or_dash(percent(line.volatility), line.reasons["volatility"])),
        ("Sharpe ratio", _or_dash(_ratio(line.sharpe_ratio), line.reasons["sharpe_ratio"])),
        ("max drawdown", _or_dash(percent(line.max_drawdown), line.reasons["max_drawdown"])),
    )
    facts = "".join(f"<li><span>{label}</span><b>{text}</b></li>" for label, text in figures)
    value_chart = line_chart(
        [("value", value), ("invested", invested)],  # type: ignore[list-item]
        f"value of {line.name} by day",
        short_money,
        is_filled=True,
    )
    drawdown_chart = _wide(
        line_chart([("drawdown", drawdown)], f"drawdown of {line.name}", _axis_percent, height=130, is_filled=True)
    )
    if drawdown and all(fall == 0 for _, fall in drawdown):
        drawdown_chart = '<p class="soft">It never stood below an earlier high.</p>'
    return (
        f'<section class="portfolio"><h2>{name} <span class="soft" style="font-weight:400">{escape(line.portfolio_id)}'
        f'</span></h2>{_state_sentence(line)}<ul class="facts">{facts}</ul>'
        f"<h3>Value by day, {base}</h3>{_wide(value_chart)}"
        '<p class="key"><i class="value"></i>value<i class="invested"></i>invested: deposits less withdrawals</p>'
        f"<h3>Drawdown of the time-weighted return</h3>{drawdown_chart}"
        f'<div class="pair"><div>{_allocation(details)}</div><div>{_frontier(details.optimization)}</div></div>'
        f"{_risk(details.risk, base)}{_suggestions(details.suggestions)}</section>"
    )


def findings(found: Sequence[Finding]) -> str:
    """Checks that did not pass, with what to do next."""
    if not found:
        return "<h2>Warnings</h2><p>Every check passed.</p>"
    rows = "".join(
        f'<tr><td><span class="tag {_TAGS.get(one.severity, "error")}">{escape(one.severity)}</span></td>'
        f"<td><b>{escape(one.check_name)}</b><small>{escape(_partitions(one.partitions))}</small></td>"
        f'<td class="n">{one.failed_rows:,}</td>'
        f"<td>{escape(one.next_step)}<pre>{escape(one.first_offenders)}</pre></td></tr>"
        for one in found
    )
    return (
        '<h2>Warnings</h2><div class="scroll"><table><thead><tr><th></th><th>Check</th><th class="n">Rows</th>'
        f"<th>What to do, and the first rows</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def provenance() -> str:
    """Where each number comes from."""
    rows = "".join(
        f"<tr><td>{name}</td><td><code>{table}</code></td><td>{escape(note)}</td></tr>"
        for name, table, note in _SOURCES
    )
    return (
        "<h2>Where each number comes from</h2>"
        f'<div class="scroll"><table><tbody>{rows}</tbody></table></div>'
        "<footer>All figures are read from the published tables as they stand there; nothing is computed here."
        " A dash is an unknown or undefined value: its reason shows when the pointer rests on it."
        " TWR and drawdown leave deposits and withdrawals out, MWR (XIRR) weighs them by time; docs/metrics.md defines"
        " each.</footer>"
    )


def _row(line: PortfolioLine) -> str:
    figures = (
        (money(line.value_base), "value_base", f"<small>{escape(line.base_currency)}</small>"),
        (money(line.value_usd), "value_usd", ""),
        (percent(line.twr_30d), "twr_30d", ""),
        (percent(line.twr_all), "twr_all", ""),
        (percent(line.mwr_all), "mwr_all", ""),
        (percent(line.max_drawdown), "max_drawdown", ""),
    )
    cells = "".join(
        f'<td class="n">{_or_dash(text, line.reasons[name])}{after if text else ""}</td>'
        for text, name, after in figures
    )
    weights = ", ".join(f"{escape(asset)}&nbsp;{100 * weight:.0f}&nbsp;%" for asset, weight in line.top_weights)
    return (
        f'<tr><td class="name">{escape(line.name)}<small>{escape(line.portfolio_id)}</small></td>{cells}'
        f'<td class="weights">{weights or _or_dash(None, "nothing is held")}</td><td>{_state(line)}</td></tr>'
    )


def _state(line: PortfolioLine) -> str:
    if line.is_held:
        return f'<span class="tag error" title="{escape(line.held_reason or "", quote=True)}">held</span>'
    if not line.is_active:
        return '<span class="tag warn" title="no longer in portfolios.yaml: last rows kept">inactive</span>'
    if not line.has_values:
        why = "nothing is known of what it holds: no transaction, no balance"
        return f'<span class="tag note" title="{why}">no values</span>'
    if line.incomplete_reason:
        words = line.incomplete_reason.partition(":")[0].replace("_", " ").replace(";", ", ")
        return f'<span class="tag warn" title="{escape(line.incomplete_reason, quote=True)}">{escape(words)}</span>'
    return '<span class="tag ok">complete</span>'


def _state_sentence(line: PortfolioLine) -> str:
    if line.is_held:
        since = f" of {line.values_as_of:%Y-%m-%d}" if line.values_as_of else ""
        return (
            f'<p class="error">Held: these are its last published values{since}. {escape(line.held_reason or "")}</p>'
        )
    if line.incomplete_reason:
        return f'<p class="warn">Incomplete on the last day: {escape(line.incomplete_reason.replace(";", ", "))}</p>'
    return ""


def _allocation(details: Details) -> str:
    shown = [bucket for bucket in details.buckets if bucket.weight is not None or bucket.target_weight is not None]
    rows = [
        (_symbol(bucket.name), bucket.weight or 0.0, bucket.target_weight, percent(bucket.weight or 0.0, 1) or "")
        for bucket in shown[:_MOST_BARS]
    ]
    has_targets = any(bucket.target_weight is not None for bucket in shown)
    key = '<p class="key"><i class="target"></i>target</p>' if has_targets else ""
    more = f'<p class="soft">and {len(shown) - _MOST_BARS} smaller</p>' if len(shown) > _MOST_BARS else ""
    chart = bars(rows, f"allocation of {details.line.name}")
    return f"<h3>Allocation by asset</h3>{chart}{key}{more}"


def _frontier(run: Optimization | None) -> str:
    if run is None:
        return "<h3>Efficient frontier</h3><p class='soft'>No policy: targets, if any, are the owner's own.</p>"
    chosen = None
    if run.volatility is not None and run.expected_return is not None:
        chosen = (run.volatility, run.expected_return)
    title = f"<h3>Efficient frontier, {escape(run.objective.replace('_', ' '))}: {escape(run.status)}</h3>"
    why = f'<p class="soft">{escape(run.fallback_reason)}</p>' if run.fallback_reason else ""
    chart = frontier_chart(run.frontier, chosen, "expected return against volatility, per year")
    note = '<p class="key">expected return per year against volatility, under the policy\'s limits</p>'
    return f"{title}{chart}{note}{why}"


def _risk(risk: Risk | None, base: str) -> str:
    if risk is None:
        return ""
    worst = "worst stress: " + (escape(risk.worst_name) if risk.worst_name else "none costs anything")
    figures = (("VaR of one day, 95 %", risk.var_95), ("VaR of one day, 99 %", risk.var_99), (worst, risk.worst))
    facts = "".join(
        f"<li><span>{label}</span><b>{_or_dash(_loss(value, share, base), risk.reason)}</b></li>"
        for label, (value, share) in figures
    )
    limits = "".join(
        f'<p><span class="tag {_VERDICTS[verdict]}">{verdict}</span> {escape(explanation)}</p>'
        for verdict, explanation in risk.limits
    )
    kept = f"<h3>Limits of the owner</h3>{limits}" if limits else ""
    return f'<h3>Risk of what is held now</h3><ul class="facts">{facts}</ul>{kept}'


def _suggestions(suggestions: Sequence[Suggestion]) -> str:
    if not suggestions:
        return ""
    rows = "".join(
        f"<tr><td>{escape(one.action)}</td><td>{escape(one.instrument_id)}</td>"
        f'<td class="n">{_or_dash(_units(one.quantity), "nothing to trade")}</td>'
        f'<td class="n">{_or_dash(money(one.value_usd), "nothing to trade, or no exchange rate to USD")}</td>'
        f'<td class="n">{_or_dash(money(one.estimated_cost_usd), "nothing to trade, or no spread is known")}</td>'
        f'<td class="n">{_or_dash(money(one.expected_gain_usd), "nothing to trade, or too little history")}</td>'
        f"<td>{escape(one.reason or '')}</td></tr>"
        for one in suggestions
    )
    return (
        '<h3>Trades that lead to the targets</h3><div class="scroll"><table><thead><tr><th></th><th>Instrument</th>'
        '<th class="n">Units</th><th class="n">Value, USD</th><th class="n">Cost, USD</th>'
        '<th class="n">Gain a year, USD</th><th>Why</th>'
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _or_dash(text: str | None, reason: str) -> str:
    if text is not None:
        return text
    return f'<abbr title="{escape(reason, quote=True)}">\N{EN DASH}</abbr>'


def _loss(value: Decimal | None, share: float | None, base: str) -> str | None:
    amount = money(value)
    return amount and f"{amount} {base}" + ("" if share is None else f" ({percent(share)})")


def _ratio(value: float | None) -> str | None:
    return None if value is None else f"{value:,.2f}".replace("-", MINUS)


def _units(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:,.4f}".rstrip("0").rstrip(".").replace("-", MINUS)


def _symbol(instrument_id: str) -> str:
    """A readable end of an id: SPY of etf:SPY; a long chain id is cut in the middle."""
    kind, colon, rest = instrument_id.partition(":")
    text = rest if colon and kind not in ("eip155", "bip122", "solana") else instrument_id.rpartition("/")[2]
    text = "native coin" if text.startswith("slip44:") else text
    return text if len(text) <= 14 else f"{text[:6]}…{text[-4:]}"


def _partitions(partitions: Iterable[str]) -> str:
    listed = list(partitions)
    more = f" and {len(listed) - _MOST_PARTITIONS} more" if len(listed) > _MOST_PARTITIONS else ""
    return ", ".join(listed[:_MOST_PARTITIONS]) + more


def _wide(svg: str) -> str:
    wide = svg.replace("<svg ", '<svg class="wide" ', 1)
    return f'<div class="scroll">{wide}</div>'
