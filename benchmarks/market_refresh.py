"""1,000 instruments from their sources into the marts: `python -m benchmarks.market_refresh [N]`.

Belongs here: 100 portfolios that hold N coins, three exchanges as the local provider server speaks them (50 ms before
each answer), and the real commands as processes of their own with all imports. Must not be here: the server.
Coins are listed at one exchange each, so that every exchange's own rate counts: Binance 25 requests a second,
Coinbase 8, Kraken 1. Yahoo has no bulk request: 1,000 newest prices take 200 s at our 5 a second, so it is left out.
"""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assets.warehouse.database import connect
from benchmarks._command import machine, progress_of, stages_of, temporary_home
from tests.provider_server import made_up_coins

PORTFOLIOS, LATENCY_SECONDS = 100, 0.05
#: Of every 20 coins so many are at each exchange.
SHARES = {"binance": 12, "coinbase": 7, "kraken": 1}


def main(count: int) -> None:
    """Land a year, then refresh once as job and once as run; print seconds by stage and rows a second."""
    print(machine())
    served = [sys.executable, "-m", "tests.provider_server", "--latency", str(LATENCY_SECONDS), "--coins", str(count)]
    with temporary_home() as home, subprocess.Popen(
        served, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:  # fmt: skip
        assert server.stdout is not None
        environment = _environment(home, _inputs(home.parent / "inputs", count), server.stdout.readline().strip())
        _measured("first run, without sources", environment | {"HOLDFAST_SOURCES": "none"}, "run")
        _measured("history through the queue", environment, "market", "work", "--seconds", "600")
        url = subprocess.run(
            [_holdfast(), "db", "url"], env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()
        with connect(url, autocommit=True) as conn:
            (rows,) = conn.execute("select count(*) from raw.bars where resolution = '1d'").fetchone() or (0,)
            print(f"  {rows:,} daily bars of {count * 365:,}")
            _measured("into the marts, a year of days", environment, "run")
            for name, command in (("run", ["run"]), ("newest prices alone", ["market", "work", "--seconds", "60"])):
                conn.execute(
                    "update registry.tracked_instruments set refreshed_at = refreshed_at - interval '15 minutes'"
                )
                _measured(f"a quarter of an hour later, {name}", environment, *command)
            ticks = conn.execute(
                "select count(*) from marts.portfolio_assets where price_age_seconds < 900 and price_status = 'ok'"
            ).fetchone()
            print(f"  positions with a price of this quarter of an hour: {ticks}")
        server.communicate("")


def _measured(name: str, environment: dict[str, str], *arguments: str) -> None:
    """Run one command and print what it took, by stage where it tells stages."""
    began, cpu = time.time(), os.times()
    done = subprocess.run([_holdfast(), *arguments], env=environment, capture_output=True, text=True, check=False)
    seconds, after = time.time() - began, os.times()
    own = after.children_user + after.children_system - cpu.children_user - cpu.children_system
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    told = f"{json.loads(last)['changed_rows']:,} rows changed in the marts" if last.startswith("{") else last
    print(f"{name}: {seconds:.1f} s ({own:.1f} s of them its own processor time); {told}", flush=True)
    for stage, taken, text in stages_of(progress_of(done.stderr)):
        if taken >= 0.5:
            print(f"    {taken:6.1f} s  {stage:<13} {text}")


def _inputs(folder: Path, count: int) -> Path:
    (folder / "transactions").mkdir(parents=True)
    day = (datetime.now(UTC) - timedelta(days=365)).date()
    coins = made_up_coins(count)
    homes = [name for name, share in SHARES.items() for _ in range(share)]
    quotes = {"binance": "USDT", "coinbase": "USD", "kraken": "USD"}
    pairs = [f"{homes[n % 20]}:{coin}/{quotes[homes[n % 20]]}" for n, coin in enumerate(coins)]
    (folder / "instruments.csv").write_text(
        "instrument,ccxt_symbol\n" + "".join(f"crypto:{coin},{pair}\n" for coin, pair in zip(coins, pairs, strict=True))
    )
    (folder / "portfolios.yaml").write_text(
        "version: 1\nbase_currency: USD\nportfolios:\n"
        + "".join(
            f"  - {{id: p{n}, user_id: u{n}, name: p{n}, cash: implicit, accounts: [{{id: m, kind: manual}}]}}\n"
            for n in range(PORTFOLIOS)
        )
    )
    (folder / "transactions" / "ledger.csv").write_text(
        "portfolio,account,executed_at,type,instrument,quantity,price,currency,external_id\n"
        + "".join(f"p{n % PORTFOLIOS},m,{day},BUY,crypto:{coin},2,100,USD,{coin}\n" for n, coin in enumerate(coins))
    )
    return folder


def _environment(home: Path, inputs: Path, url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    sources = {f"HOLDFAST_ENDPOINT_{name.upper()}": url for name in (*SHARES, "coingecko")}
    return kept | sources | {
        "HOLDFAST_HOME": str(home), "HOLDFAST_INPUTS": str(inputs), "DO_NOT_TRACK": "1",
        "HOLDFAST_SOURCES": ",".join([*SHARES, "coingecko"]),
    }  # fmt: skip


def _holdfast() -> str:
    return str(Path(sys.executable).with_name("holdfast"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
