"""Bitcoin's reader against a local Esplora: what counts, when it is read again, and that no fault becomes a balance."""

from datetime import timedelta

import pytest

from assets.wallets.bitcoin import read_chain
from assets.wallets.model import Asset, Block, ChainRequest, Kind
from tests.unit.wallets.peers import NOW, Esplora, always, amounts, read

BTC = Asset("bitcoin", Kind.NATIVE)
USED, SPENT, NEVER = (
    "bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv",
    "36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm",
    "1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo",
)
REQUEST = ChainRequest("bitcoin", [(USED, BTC), (SPENT, BTC), (NEVER, BTC)])
GOOD = [("ok", 150_000_000), ("zero", 0), ("zero", 0)]


@pytest.fixture
def peer() -> Esplora:
    peer = Esplora()
    peer.balances = {USED: (250_000_000, 100_000_000, 7), SPENT: (42, 42, 99)}
    return peer


def other() -> Esplora:
    peer = Esplora()
    peer.balances = {USED: (250_000_000, 100_000_000, 7), SPENT: (42, 42, 99)}
    return peer


def test_confirmed_balances_at_the_tip(peer: Esplora) -> None:
    report = read(read_chain, REQUEST, peer)
    assert amounts(report) == GOOD
    assert report.block == Block(100, f"{100:064x}", NOW - timedelta(minutes=7))
    assert report.endpoint == f"127.0.0.1:{peer.port}"
    assert (report.failure, report.problems, report.is_reorganised) == (None, (), False)
    assert {one.outcome for one in report.tries} == {"ok"}
    assert len(report.tries) == len(peer.asked) == 2 + 2 + 3


def test_a_tip_that_moves_is_read_again(peer: Esplora) -> None:
    peer.moves = {2, 3}
    report = read(read_chain, REQUEST, peer)
    assert report.block is not None
    assert report.block.number == 102
    assert amounts(report)[0] == ("ok", 150_000_002)
    assert peer.asked.count(f"/address/{USED}") == 3


def test_a_tip_that_never_stands_is_no_block(peer: Esplora) -> None:
    peer.moves = set(range(2, 100))
    report = read(read_chain, REQUEST, peer)
    assert report.block is None
    assert report.failure is not None
    assert "tip moved" in report.failure
    assert amounts(report) == [("failed", None)] * 3


@pytest.mark.parametrize("fault", ["429", "html", "cut", "hang", "500"])
def test_a_fault_at_every_question_leads_to_the_next_server(peer: Esplora, fault: str) -> None:
    peer.fault = always(fault)
    backup = other()
    report = read(read_chain, REQUEST, peer, backup)
    assert amounts(report) == GOOD
    assert report.endpoint == f"127.0.0.1:{backup.port}"


@pytest.mark.parametrize(
    ("fault", "question"),
    [
        (fault, question)
        for fault in ("429", "html", "cut", "500")
        for question in (f"/address/{USED}", "/block/", "/block-height/0")
    ]
    + [("hang", f"/address/{USED}")],  # costs half of the time
)
def test_a_fault_on_the_way_leads_to_the_next_server(peer: Esplora, fault: str, question: str) -> None:
    peer.fault = always(fault, question)
    assert amounts(read(read_chain, REQUEST, peer, other(), seconds=1.6)) == GOOD


@pytest.mark.parametrize("fault", ["429", "html", "cut", "500"])
def test_one_address_without_answer_costs_itself_alone(peer: Esplora, fault: str) -> None:
    peer.fault = always(fault, f"/address/{USED}")
    report = read(read_chain, REQUEST, peer)
    assert [status for status, _ in amounts(report)] == (
        ["failed"] * 3 if fault == "429" else ["failed", "zero", "zero"]
    )
    assert report.cells[0].amount is None
    assert report.cells[0].reason


def test_all_servers_hang_within_the_time(peer: Esplora) -> None:
    backup = other()
    peer.fault = backup.fault = always("hang")
    report = read(read_chain, REQUEST, peer, backup, seconds=0.7)
    assert amounts(report) == [("failed", None)] * 3
    assert report.seconds < 1.5
    assert report.block is None


def test_another_chain_an_old_head_and_a_lower_one_are_passed_over(peer: Esplora) -> None:
    wrong, old, low = other(), other(), other()
    wrong.hashes[0] = "0" * 64
    old.head_at = NOW - timedelta(hours=4)
    del low.hashes[-5:]
    request = ChainRequest("bitcoin", REQUEST.cells, expected=Block(99, f"{99:064x}", NOW))
    report = read(read_chain, request, wrong, old, low, peer)
    assert amounts(report) == GOOD
    assert report.endpoint == f"127.0.0.1:{peer.port}"
    assert not report.is_reorganised
    for bad, text in ((wrong, "another chain"), (old, "old"), (low, "below 99")):
        alone = read(read_chain, request, bad)
        assert alone.block is None
        assert alone.failure is not None
        assert text in alone.failure


def test_a_block_that_went_away_is_noticed(peer: Esplora) -> None:
    request = ChainRequest("bitcoin", REQUEST.cells, expected=Block(99, "f" * 64, NOW))
    report = read(read_chain, request, peer)
    assert report.is_reorganised
    assert amounts(report) == GOOD


def test_numbers_that_cannot_be_are_no_balance(peer: Esplora) -> None:
    peer.balances = {USED: (1, 2, 0), SPENT: (10**20, 0, 0), NEVER: (5, 0, 0)}
    assert amounts(read(read_chain, REQUEST, peer)) == [("failed", None), ("failed", None), ("ok", 5)]


def test_what_is_no_coin_or_no_address_is_not_asked(peer: Esplora) -> None:
    cells = [(USED, Asset("bitcoin", Kind.ERC20, "0x1")), ("../blocks/tip/height", BTC), (USED, BTC)]
    report = read(read_chain, ChainRequest("bitcoin", cells), peer)
    assert amounts(report) == [("unsupported", None), ("unsupported", None), ("ok", 150_000_000)]
    assert not [
        question for question in peer.asked if "height" in question and not question.startswith("/block-height")
    ]


def test_an_answer_about_another_address_is_none(peer: Esplora) -> None:
    told = peer.told
    peer.told = lambda question, body: told(question.replace(NEVER, USED), body)  # type: ignore[method-assign]
    assert amounts(read(read_chain, REQUEST, peer)) == [*GOOD[:2], ("failed", None)]
