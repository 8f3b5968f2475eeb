"""What has to have prices although nobody holds it: what targets and policies name."""

from datetime import timedelta

from assets.market import needs
from assets.market.model import Resolution
from assets.market.tracking import LOOKBACK, PAUSE_AFTER
from assets.warehouse.database import connect
from tests.market_holdings import NOW, hold


def test_targets_and_universes_are_followed_as_far_back_as_the_optimiser_looks(database_url: str) -> None:
    def look(days: int) -> dict[str, tuple[str, bool, int]]:
        now = NOW + timedelta(days=days)
        with conn.transaction():
            needs.write_needs(conn, Resolution.DAY, now, now - LOOKBACK, PAUSE_AFTER)
        return {
            row[0]: (row[1], row[2], (NOW - row[3]).days)
            for row in conn.execute(
                "select instrument_id, needed_for, is_active, first_needed_at from registry.tracked_instruments"
            )
        }

    with connect(database_url, autocommit=True) as conn:
        hold(conn, "crypto:BTC", since=NOW - timedelta(days=20))
        conn.execute("insert into registry.targets values ('p', 'crypto:BTC', 0.5), ('p', 'etf:SPY', 0.3),"
                     " ('p', 'fiat:EUR', 0.2)")  # fmt: skip
        conn.execute(
            "insert into registry.policies (portfolio_id, objective, universe, lookback_days)"
            " values ('p', 'hrp', '{crypto:BTC,etf:SPY,etf:AGG}', 730)"
        )
        assert look(0) == {
            "crypto:BTC": ("held", True, 730), "etf:SPY": ("target", True, 730), "etf:AGG": ("universe", True, 730),
            "fiat:EUR": ("currency", True, 365), "fiat:USD": ("currency", True, 365),
        }  # fmt: skip
        conn.execute("delete from registry.targets")
        conn.execute("update registry.policies set universe = '{held}'")
        # what nobody names any more is followed for a week, as what was sold
        assert look(3)["etf:SPY"][:2] == ("target", True)
        later = look(8)
        assert {name for name, (_, is_active, _) in later.items() if is_active} == {"crypto:BTC"}
        assert later["crypto:BTC"] == ("held", True, 730)
