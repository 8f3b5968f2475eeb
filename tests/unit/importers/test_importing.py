"""Importing into an inputs folder: only what is new, nothing that validation would refuse, nothing lost."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from assets.importers import importing
from assets.importers.importing import Destination, ImportProblemError, plan_import
from assets.importers.plans import FilePlan, canonical_csv, write_plans
from assets.importers.symbols import ReviewedSymbols
from assets.registry.folder import validate
from assets.registry.problems import InputProblems
from tests.unit.importers.samples import FORMATS, NOW, SAMPLES, inputs_folder, planned

HEADER = "executed_at,type,instrument,quantity,price,currency,external_id,note"


def source(folder: Path, *lines: str, name: str = "export.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def ids(plan: FilePlan) -> list[str]:
    return [values["external_id"] for values in plan.values()]


@pytest.mark.parametrize("name", ["ghostfolio", "portfolio-performance", "canonical"])
def test_what_is_written_is_valid_and_importing_again_adds_nothing(name: str, tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    (path,) = (SAMPLES / name).glob("export.*")
    plans = planned(folder, path)
    (written,) = write_plans(plans, folder)

    assert written.parent == folder / "transactions"
    assert written.name.startswith(f"{plans[0].format.name}-a-")
    assert validate(folder, NOW) == []
    assert sorted(entry.suffix for entry in written.parent.iterdir()) == [".csv", ".txt"]
    assert len(written.with_suffix(".rejects.txt").read_text().splitlines()) == len(plans[0].rejects)

    (again,) = planned(folder, path)
    assert again.rows == []
    assert again.target == ""
    assert len(again.known) == len(plans[0].rows) + len(plans[0].known)
    assert not any(known.differences for known in again.known)
    assert write_plans([again], folder) == []


def test_an_overlapping_newer_export_adds_only_what_is_new(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    lines = (SAMPLES / "portfolio-performance-de" / "export.csv").read_text().splitlines()[:15]
    older = source(tmp_path, *lines[1:8], name="older.csv", header=lines[0])
    # a newer export begins later; its two equal purchases of one day are both in it
    twice = "2020-07-01T00:00;Kauf;-10,00;EUR;;;;;;1;US0378331005;865985;AAPL;Apple Inc.;"
    newer = source(tmp_path, *lines[5:], twice, twice, name="newer.csv", header=lines[0])
    write_plans(planned(folder, older), folder)

    (plan,) = planned(folder, newer)

    assert len(plan.known) == 3
    assert len(plan.rows) == len(lines[5:]) + 2 - 3
    assert len(set(ids(plan))) == len(plan.rows)
    write_plans([plan], folder)
    assert planned(folder, newer)[0].rows == []
    assert validate(folder, NOW) == []


def test_both_sides_of_a_trade_in_two_files_are_one(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    header = (SAMPLES / "portfolio-performance" / "export.csv").read_text().splitlines()[0]
    end = ",EUR,,,,1.00,,10,IE00B4L5Y983,A0RPWH,EUNL.DE,World,"
    deposit = source(tmp_path, f"2020-01-03T00:00,Buy,-101.00{end}", name="deposit.csv", header=header)
    depot = source(tmp_path, f"2020-01-03T00:00,Buy,101.00{end}", name="depot.csv", header=header)

    first, second = planned(folder, deposit, depot)

    assert first.values()[0]["amount"] == "100"
    assert second.rows == []
    assert second.known[0].place == "deposit.csv, line 2"


def test_a_row_written_by_hand_is_not_booked_again(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    (folder / "transactions").mkdir()
    hand = {"portfolio": "p", "account": "a", "executed_at": "2024-01-02", "type": "BUY", "instrument": "etf:SPY"}
    hand |= {"quantity": "10.0", "price": "470", "currency": "USD", "note": "by hand"}
    (folder / "transactions" / "hand.csv").write_text(canonical_csv([hand]))
    path = source(
        tmp_path, "2024-01-02,BUY,etf:SPY,10,470,fiat:USD,x-1,", "2024-01-02,BUY,etf:SPY,10,470,fiat:USD,x-2,"
    )

    (plan,) = planned(folder, path)

    assert [known.place for known in plan.known] == ["transactions/hand.csv:2"]
    assert ids(plan) == ["x-2"]  # a second equal trade with an id of its own is another one


def test_a_row_that_says_something_else_by_now_is_kept_and_told(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    write_plans(planned(folder, source(tmp_path, "2024-01-02,BUY,etf:SPY,10,470,USD,x-1,")), folder)

    (plan,) = planned(folder, source(tmp_path, "2024-01-02,BUY,etf:SPY,11,470,USD,x-1,"))

    assert plan.rows == []
    assert plan.known[0].differences == "quantity 10 there, 11 here"


def test_one_export_in_two_accounts_is_two(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    path = source(tmp_path, "2024-01-02,BUY,etf:SPY,10,470,USD,x-1,")
    write_plans(planned(folder, path), folder)
    assert len(planned(folder, path, account="b")[0].rows) == 1


def test_newest_first_becomes_oldest_first(tmp_path: Path) -> None:
    lines = [
        "2024-01-03,SELL,etf:SPY,1,470,USD,4,", "2024-01-02T12:00:00Z,BUY,etf:SPY,1,470,USD,3,",
        "2024-01-02,SELL,etf:SPY,1,470,USD,2,", "2024-01-02,BUY,etf:SPY,1,470,USD,1,",
    ]  # fmt: skip
    folder = inputs_folder(tmp_path / "inputs")
    (newest_first,) = planned(folder, source(tmp_path, *lines))
    assert ids(newest_first) == ["1", "2", "3", "4"]
    (oldest_first,) = planned(folder, source(tmp_path, *reversed(lines)))
    assert oldest_first.values() == newest_first.values()


def test_money_in_and_out_is_ignored_where_no_cash_is_held(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs", cash="implicit")
    path = source(tmp_path, "2024-01-01,DEPOSIT,fiat:USD,10,,,1,", "2024-01-02,BUY,etf:SPY,10,470,USD,2,")
    (plan,) = planned(folder, path)
    assert list(plan.ignored) == [2]
    assert "cash: implicit" in plan.ignored[2]
    assert ids(plan) == ["2"]


def test_more_bad_lines_than_the_reader_lists_are_all_rejected(tmp_path: Path) -> None:
    bad = [f"2024-01-02,BUY,etf:SPY,0,470,USD,b{number}," for number in range(250)]
    path = source(tmp_path, *bad, "2024-01-02,BUY,etf:SPY,1,470,USD,good,")
    (plan,) = planned(inputs_folder(tmp_path / "inputs"), path)
    assert [reject.line for reject in plan.rejects] == list(range(2, 252))
    assert ids(plan) == ["good"]


def test_rows_judged_in_portions_come_out_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = "2024-01-0{},BUY,etf:SPY,{},470,USD,{},"
    lines = [line.format(day, quantity, own) for day, quantity, own in (
        (3, 1, "x-1"), (2, 0, "x-2"), (1, 1, "x-3"), (3, 1, "x-1"), (4, 2, "x-1"), (1, 1, ""), (1, 1, ""),
    )]  # fmt: skip
    path = source(tmp_path, *lines)
    (whole,) = planned(inputs_folder(tmp_path / "whole"), path)
    monkeypatch.setattr(importing, "_ROWS_AT_A_TIME", 2)
    (parts,) = planned(inputs_folder(tmp_path / "parts"), path)

    assert parts == whole
    assert [row.line for row in parts.rows] == [8, 7, 4, 2]  # the file lists the newest first
    assert [known.line for known in parts.known] == [5]
    assert [reject.line for reject in parts.rejects] == [3, 6]


def test_a_line_takes_little_memory(tmp_path: Path) -> None:
    """A file of 128 MB, the largest that is taken, may have two million lines."""
    count = 4_000
    lines = (f"2024-01-02T{n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}Z,BUY,etf:SPY,{n + 1},470,USD,x-{n},"
             for n in range(count))  # fmt: skip
    path, folder = source(tmp_path, *lines), inputs_folder(tmp_path / "inputs")
    planned(folder, source(tmp_path, name="first.csv"))  # what is loaded once
    tracemalloc.start()
    (plan,) = planned(folder, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(plan.rows) == count
    assert peak / count < 2_400, peak / count


def test_the_persons_mapping_takes_what_was_rejected(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    (folder / "instruments.csv").write_text("instrument,quote_currency\ncustom:house,EUR\n")
    maps = ["0aa2b7de-0000-4000-8000-000000000002=custom:house", "some-new-coin=crypto:NEWCOIN"]
    (plan,) = planned(folder, SAMPLES / "ghostfolio" / "export.json", maps=maps)
    by_line = dict(zip((row.line for row in plan.rows), plan.values(), strict=True))
    assert by_line[12]["instrument"] == "custom:house"
    assert by_line[14]["instrument"] == "crypto:NEWCOIN"


def test_one_account_of_the_source_at_a_time(tmp_path: Path) -> None:
    document = json.loads((SAMPLES / "ghostfolio" / "export.json").read_text())
    document["accounts"].append({"id": "acc-2", "name": "Bank"})
    document["activities"][1]["accountId"] = "acc-2"
    path = tmp_path / "g.json"
    path.write_text(json.dumps(document))
    folder = inputs_folder(tmp_path / "inputs")
    destination = Destination(folder, "p", "a", source_account="Bank")

    (plan,) = plan_import([path], destination, ReviewedSymbols(), FORMATS, NOW)

    assert [row.line for row in plan.rows] == [2]
    assert len(plan.elsewhere) == 11
    assert plan.accounts["Bank"] == 1
    with pytest.raises(ImportProblemError, match="accounts that it names: Bank, Broker"):
        plan_import([path], Destination(folder, "p", "a", "Bnak"), ReviewedSymbols(), FORMATS, NOW)


def test_portfolio_and_account_must_exist(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    path = source(tmp_path)
    with pytest.raises(ImportProblemError, match=r"(?s)no portfolio q .*- id: q.*\{id: a, kind: manual\}"):
        plan_import([path], Destination(folder, "q", "a"), ReviewedSymbols(), FORMATS, NOW)
    with pytest.raises(ImportProblemError, match=r"(?s)portfolio p has no account c.*\{id: c, kind: manual\}"):
        plan_import([path], Destination(folder, "p", "c"), ReviewedSymbols(), FORMATS, NOW)


def test_a_folder_with_problems_is_not_added_to(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path / "inputs")
    (folder / "instruments.csv").write_text("nothing\n")
    with pytest.raises(InputProblems):
        planned(folder, source(tmp_path))


def test_secrets_in_a_note_are_rejected_and_not_shown(tmp_path: Path) -> None:
    key = "4c0883a69102937d6231471b5dbb6204fe512961708279feb1be6ae5538da033"
    (plan,) = planned(inputs_folder(tmp_path / "inputs"), source(tmp_path, f"2024-01-02,BUY,etf:SPY,1,470,USD,1,{key}"))
    assert plan.rows == []
    assert key not in repr(plan.rejects)
