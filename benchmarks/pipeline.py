"""The demo's pipeline three times: `python -m benchmarks.pipeline`.

Belongs here: the first run, the same inputs again, one trade more; what of each is neither SQL nor numerics nor our
reading and writing. The inputs are a copy of examples/demo/inputs.
"""

import shutil
from pathlib import Path

from benchmarks._command import Run, machine, run_holdfast, temporary_home

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo" / "inputs"
AS_OF = "2021-03-31"
#: columns as in the demo's file: portfolio to currency, then cash account, fee, fee currency
TRADE = "crypto-usd,exchange,2021-03-01,BUY,crypto:BTC,0.01,49000,,USD,,,,,,benchmark-1,\n"
WORK = ("sql", "ours")


def main() -> None:
    """Print seconds, changed rows and shares of each run."""
    print(machine())
    with temporary_home() as home:
        inputs = home.parent / "inputs"
        shutil.copytree(DEMO, inputs)
        _print("first run", run_holdfast(home, inputs, AS_OF, with_spans=True))
        _print("same inputs", run_holdfast(home, inputs, AS_OF, with_spans=True))
        with (inputs / "transactions" / "crypto-usd.csv").open("a") as file:
            file.write(TRADE)
        _print("one trade more", run_holdfast(home, inputs, AS_OF, with_spans=True))


def _print(name: str, run: Run) -> None:
    print(
        f"{name}: {run.summary['status']}, {run.seconds:.1f} s, {run.summary['changed_rows']:,} changed rows, "
        f"peak {run.process_peak:,.0f} MiB"
    )
    work = sum(run.spans[kind] for kind in WORK)
    print(f"  not SQL, numerics or own reading and writing: {1 - work / run.seconds:.0%}")
    print("  " + ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in run.spans.items()))


if __name__ == "__main__":
    main()
