"""Money in the sentences that people read.

Belongs here: an amount and its currency as text. Must not be here: numbers for machines, tables of the report.
"""

from decimal import Decimal

_CENT = Decimal("0.01")


def money_text(amount: Decimal, currency: str) -> str:
    """An amount for people, as in 1,234.50 EUR; `currency` as in fiat:EUR."""
    shown = f"{amount:,.2f}" if abs(amount) >= _CENT or not amount else "less than 0.01"
    return f"{shown} {currency.removeprefix('fiat:')}"
