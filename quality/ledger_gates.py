"""What a ledger must keep to be believed, and what it may publish with a flag: the stage ledger."""

from __future__ import annotations

from quality.gate import Gate
from quality.results import Severity


def _ledger_warning(code: str, description: str, next_step: str, severity: Severity = "warn") -> Gate:
    return Gate(
        name=code,
        stage="ledger",
        reach="none",
        severity=severity,
        threshold="0 rows",
        description=description,
        next_step=next_step,
        offenders=f"""
            select portfolio_id, instrument_id, message
            from intermediate.ledger_issues inner join ops.run_scope using (portfolio_id)
            where code = '{code}' order by portfolio_id, instrument_id, at""",
    )


LEDGER_GATES: tuple[Gate, ...] = (
    Gate(
        name="ledger_is_possible",
        stage="ledger",
        reach="portfolio",
        severity="error",
        threshold="0 refused entries",
        description="Each ledger can be true: no negative cash, nothing that contradicts itself.",
        next_step="Correct the transactions named here, then run again.",
        offenders="""
            select portfolio_id, null, message
            from intermediate.ledger_issues inner join ops.run_scope using (portfolio_id)
            where severity = 'hold' order by portfolio_id, at""",
    ),
    _ledger_warning(
        "missing_acquisition",
        "Nothing was sold that was never bought.",
        "Add the missing BUY, DEPOSIT or OPENING; until then the unexplained part has no cost.",
    ),
    _ledger_warning(
        "unmatched_transfer",
        "Each transfer has both of its legs.",
        "Give both legs one group_id, or add the leg that is missing; it counts as an external flow meanwhile.",
    ),
    _ledger_warning(
        "income_without_price",
        "Each reward had a price when it came.",
        "Add a price for that moment; the reward has zero cost meanwhile.",
    ),
    _ledger_warning(
        "first_valued",
        "Each holding had a price when it came in.",
        "Nothing, if there was no market before; else add prices for the days before.",
        severity="info",
    ),
    _ledger_warning(
        "balance_mismatch",
        "Derived and observed balances agree.",
        "Find the missing or double transaction of that account; marts.reconciliation has every comparison.",
    ),
    _ledger_warning(
        "balance_without_ledger",
        "What an account with transactions holds is in its transactions.",
        "Add the transactions of that instrument, if there were any; its balances count as flows meanwhile.",
    ),
    _ledger_warning(
        "unmatched_swap",
        "Each swap has a leg that goes out and one that comes in.",
        "Give all legs of the swap one group_id, or add the leg that is missing.",
    ),
    _ledger_warning(
        "missing_fx",
        "Each amount had an exchange rate into the base currency when it moved.",
        "Add the rate as a price of that currency; what needs it is NULL meanwhile.",
    ),
    Gate(
        name="split_without_price",
        stage="ledger",
        reach="none",
        severity="warn",
        threshold="0 rows",
        description="Each split has a price on its day: units change at once, a carried price does not.",
        next_step="Add a price of that day; until the next price the value is off by the split's ratio.",
        offenders="""
            select entries.portfolio_id, entries.instrument_id,
                   entries.quantity || ' for 1 on ' || entries.executed_date
            from intermediate.int_all_transactions as entries
            inner join ops.run_scope using (portfolio_id)
            inner join intermediate.int_instruments as instruments using (instrument_id)
            where entries.type = 'SPLIT'
              and exists (select 1 from intermediate.int_price_daily as prices
                          where prices.instrument_id = instruments.pricing_instrument_id
                            and prices.valuation_date = entries.executed_date and not prices.is_observed)
            order by entries.portfolio_id, entries.instrument_id""",
    ),
    Gate(
        name="ledger_notes",
        stage="ledger",
        reach="none",
        severity="info",
        threshold="0 rows",
        description="The ledger has nothing else to say, such as a flow in kind whose price was not known.",
        next_step="Read the note; a flow without a price is NULL until one is added.",
        # whatever has no gate of its own is shown here: nothing that the ledger says is lost
        offenders="""
            select portfolio_id, instrument_id, code || ': ' || message
            from intermediate.ledger_issues inner join ops.run_scope using (portfolio_id)
            where severity = 'warn' and code not in (
                'missing_acquisition', 'unmatched_transfer', 'income_without_price', 'first_valued', 'balance_mismatch',
                'balance_without_ledger', 'unmatched_swap', 'missing_fx')
            order by portfolio_id, instrument_id, at""",
    ),
)
