"""Solana's reader against a local node: slots, programs, mints, and that no fault becomes a balance."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from assets.registry.base58 import decode, encode
from assets.registry.identifiers import instrument_id
from assets.registry.other_chains import other_chains
from assets.wallets.model import Asset, Block, ChainRequest, Kind, TokenFacts
from assets.wallets.solana import read_chain
from assets.wallets.solana_accounts import TOKEN_2022_PROGRAM, TOKEN_PROGRAM, read_mint, read_token_account
from tests.unit.wallets.peers import NOW, Solana, always, amounts, read

SYSTEM_PROGRAM = "11111111111111111111111111111111"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


def key(number: int) -> str:
    return encode(bytes([number]) * 32)


RICH, NEVER, POOR = key(1), key(2), key(3)
BONUS, SCALED, ODD, ABSENT = key(20), key(21), key(22), key(23)
SOL = Asset("solana", Kind.NATIVE)


def spl(mint: str) -> Asset:
    return Asset("solana", Kind.ERC20, mint)


def token_account(mint: str, owner: str, amount: int, state: int = 1, more: bytes = b"") -> bytes:
    head = decode(mint) + decode(owner) + amount.to_bytes(8, "little") + bytes(36) + bytes([state])
    return head.ljust(165, b"\0") + more


def mint_account(decimals: int, *extensions: tuple[int, bytes]) -> bytes:
    base = bytes(44) + bytes([decimals, 1]) + bytes(36)
    if not extensions:
        return base
    tail = b"".join(kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for kind, value in extensions)
    return base.ljust(165, b"\0") + b"\x01" + tail


def node() -> Solana:
    peer = Solana()
    peer.accounts = {
        RICH: (5_000_000_000, SYSTEM_PROGRAM, b""),
        USDC: (1, TOKEN_PROGRAM, mint_account(6)),
        BONUS: (1, TOKEN_2022_PROGRAM, mint_account(9, (18, bytes(64)), (19, b"name"))),
        SCALED: (1, TOKEN_2022_PROGRAM, mint_account(8, (18, bytes(64)), (25, bytes(56)))),
        ODD: (1, SYSTEM_PROGRAM, mint_account(6)),
        key(40): (2, TOKEN_PROGRAM, token_account(USDC, RICH, 1_000_000)),
        key(41): (2, TOKEN_PROGRAM, token_account(USDC, RICH, 234_567, state=2)),
        key(42): (2, TOKEN_2022_PROGRAM, token_account(BONUS, RICH, 2**64 - 1, more=b"\x02" + bytes(20))),
        key(43): (2, TOKEN_2022_PROGRAM, token_account(SCALED, RICH, 12, more=b"\x02")),
        key(44): (2, TOKEN_PROGRAM, token_account(USDC, POOR, 0)),
    }
    return peer


REQUEST = ChainRequest(
    "solana", [(RICH, SOL), (NEVER, SOL), (RICH, spl(USDC)), (POOR, spl(USDC)), (NEVER, spl(BONUS))], [spl(USDC)]
)
GOOD = [("ok", 5_000_000_000), ("zero", 0), ("ok", 1_234_567), ("zero", 0), ("zero", 0)]


def test_coin_and_tokens_of_both_programs_at_one_slot() -> None:
    peer = node()
    report = read(read_chain, REQUEST, peer)
    assert amounts(report) == GOOD
    assert report.block == Block(1_000, "1" * 31 + "A", NOW - timedelta(seconds=15))
    assert report.endpoint == f"127.0.0.1:{peer.port}"
    assert (report.failure, report.problems) == (None, ())
    assert report.facts == (
        TokenFacts(spl(USDC), 6, None, None),
        TokenFacts(spl(BONUS), 9, None, None),
        TokenFacts(spl(SCALED), 8, None, None),
    )
    found = [(cell.wallet, cell.asset, cell.status.value, cell.amount) for cell in report.found]
    assert found == [(RICH, spl(BONUS), "ok", 2**64 - 1), (RICH, spl(SCALED), "unsupported", None)]


def test_an_address_that_is_no_mint_is_not_zero() -> None:
    cells = [
        (RICH, spl(ABSENT)),
        (RICH, spl(ODD)),
        (RICH, spl(RICH)),
        (RICH, spl(SCALED)),
        (RICH, spl("?")),
        ("?", SOL),
    ]
    report = read(read_chain, ChainRequest("solana", cells), node())
    assert amounts(report) == [("unsupported", None)] * 6
    reasons = [cell.reason or "" for cell in report.cells]
    assert "no account" in reasons[0]
    assert "no mint" in reasons[1]
    assert "scales amounts" in reasons[3]


def test_answers_of_different_slots_are_asked_again() -> None:
    peer = node()
    peer.slots = [1_000, 1_001, 1_000]
    peer.slot = 1_001
    peer.told_getSlot = lambda options: 1_000  # type: ignore[method-assign]
    report = read(read_chain, REQUEST, peer)
    assert amounts(report) == GOOD
    assert report.block is not None
    assert report.block.number == 1_001
    assert report.problems == ()
    assert peer.asked.count("getMultipleAccounts") + peer.asked.count("getTokenAccountsByOwner") == 1 + 6 + 2 + 1


def test_slots_that_never_agree_are_told() -> None:
    peer = node()
    peer.slots = list(range(1_000, 1_100))
    peer.slot = 2_000
    peer.told_getSlot = lambda options: 1_000  # type: ignore[method-assign]
    report = read(read_chain, REQUEST, peer)
    assert amounts(report) == GOOD
    assert report.block is not None
    [problem] = report.problems
    assert problem.startswith(f"read at slots {report.block.number} to ")


@pytest.mark.parametrize("is_ignoring", [False, True])
def test_a_slot_before_the_pinned_one_is_not_taken(is_ignoring: bool) -> None:
    peer = node()
    peer.is_ignoring_minimum = is_ignoring
    peer.slots = [900] * 200
    backup = node()
    report = read(read_chain, REQUEST, peer, backup)
    assert amounts(report) == GOOD
    assert report.block is not None
    assert report.block.number == 1_000
    alone = read(read_chain, REQUEST, replace_slots(is_ignoring))
    assert {status for status, _ in amounts(alone)} == {"failed"}


def replace_slots(is_ignoring: bool) -> Solana:
    peer = node()
    peer.is_ignoring_minimum, peer.slots = is_ignoring, [900] * 200
    return peer


@pytest.mark.parametrize(
    ("fault", "question"),
    [
        (fault, question)
        for fault in ("429", "html", "cut", "500")
        for question in ("get", "getGenesisHash", "getBlock", "getTokenAccountsByOwner")
    ]
    + [("hang", "getGenesisHash"), ("hang", "getTokenAccountsByOwner")],  # costs up to half of the time
)
def test_a_fault_leads_to_the_next_server(fault: str, question: str) -> None:
    peer, backup = node(), node()
    peer.fault = always(fault, question)
    report = read(read_chain, REQUEST, peer, backup, seconds=1.6)
    assert amounts(report) == GOOD
    assert report.problems == ()


@pytest.mark.parametrize("fault", ["html", "cut", "500"])
def test_a_list_of_tokens_without_answer_costs_tokens_alone(fault: str) -> None:
    peer = node()
    peer.fault = always(fault, "getTokenAccountsByOwner")
    cells = REQUEST.cells[:3]
    report = read(read_chain, ChainRequest("solana", cells), peer)
    # the host rests after three failures in a row, so what is asked at the same time may be lost with it
    assert amounts(report)[2] == ("failed", None)
    assert report.cells[2].reason
    assert report.found == ()
    assert report.problems


def test_all_servers_hang_within_the_time() -> None:
    peer, backup = node(), node()
    peer.fault = backup.fault = always("hang")
    report = read(read_chain, REQUEST, peer, backup, seconds=0.7)
    assert amounts(report) == [("failed", None)] * 5
    assert report.block is None
    assert report.seconds < 1.5


def test_another_cluster_an_old_head_and_a_lagging_node_are_passed_over() -> None:
    wrong, old, low, good = node(), node(), node(), node()
    wrong.genesis = "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"  # devnet
    old.head_at = NOW - timedelta(minutes=3)
    low.slot = 990
    request = replace(REQUEST, expected=Block(995, "1", NOW))
    report = read(read_chain, request, wrong, old, low, good)
    assert amounts(report) == GOOD
    assert report.endpoint == f"127.0.0.1:{good.port}"
    for bad, text in ((wrong, "another chain"), (old, "old"), (low, "before 995")):
        alone = read(read_chain, request, bad)
        assert alone.failure is not None
        assert text in alone.failure
        assert {status for status, _ in amounts(alone)} == {"failed"}


def test_more_than_a_hundred_wallets_and_mints() -> None:
    peer = Solana()
    wallets, mints = [encode(bytes([1, n]) * 16) for n in range(150)], [encode(bytes([2, n]) * 16) for n in range(150)]
    for number, (wallet, mint) in enumerate(zip(wallets, mints, strict=True)):
        peer.accounts[wallet] = (number, SYSTEM_PROGRAM, b"")
        peer.accounts[mint] = (1, TOKEN_PROGRAM, mint_account(number % 10))
        peer.accounts[encode(bytes([3, number]) * 16)] = (1, TOKEN_PROGRAM, token_account(mint, wallets[0], number + 1))
    cells = [(wallet, SOL) for wallet in wallets[:20]]
    report = read(read_chain, ChainRequest("solana", cells), peer, seconds=8)
    assert [cell.amount for cell in report.cells] == list(range(20))
    assert [cell.amount for cell in report.found] == list(range(1, 151))
    assert [fact.decimals for fact in report.facts] == [number % 10 for number in range(150)]


def test_layouts_are_read_strictly() -> None:
    account = token_account(USDC, RICH, 7)
    assert read_token_account(account).amount == 7
    for data in (account[:-1], token_account(USDC, RICH, 7, state=0), b""):
        with pytest.raises(ValueError, match="no token account"):
            read_token_account(data)
    plain, extended = mint_account(6), mint_account(6, (1, bytes(108)))
    assert read_mint(plain, TOKEN_PROGRAM).decimals == read_mint(extended, TOKEN_2022_PROGRAM).decimals == 6
    assert read_mint(mint_account(6, (10, bytes(52))), TOKEN_2022_PROGRAM).scaling == "bears interest"
    for data, program in (
        (plain[:-1], TOKEN_PROGRAM),
        (extended, TOKEN_PROGRAM),
        (plain, SYSTEM_PROGRAM),
        (token_account(USDC, RICH, 7, more=b"\x02"), TOKEN_2022_PROGRAM),
        (bytes(82), TOKEN_PROGRAM),
    ):
        with pytest.raises(ValueError, match="no mint"):
            read_mint(data, program)


def test_the_programs_are_addresses() -> None:
    assert len(decode(TOKEN_PROGRAM)) == len(decode(TOKEN_2022_PROGRAM)) == 32


def test_accounts_of_another_owner_are_no_balance() -> None:
    peer = node()
    told = peer.told_getTokenAccountsByOwner
    peer.told_getTokenAccountsByOwner = lambda _, *rest: told(RICH, *rest)  # type: ignore[method-assign]
    report = read(read_chain, ChainRequest("solana", [(POOR, spl(USDC))]), peer)
    assert amounts(report) == [("failed", None)]
    assert report.found == ()


def test_the_chains_of_the_file_are_what_their_ids_say() -> None:
    for chain in other_chains().values():
        assert chain.caip2.partition(":")[2] == chain.genesis_hash[:32]
        assert chain.native_instrument == instrument_id(chain.native_instrument)
    assert instrument_id(other_chains()["solana"].token_instrument(USDC)).endswith(f"/token:{USDC}")


def test_an_answer_is_not_lost_when_it_cannot_be_had_at_the_later_slot() -> None:
    peer = Solana()
    peer.accounts = {RICH: (5, SYSTEM_PROGRAM, b"")}
    peer.slot = 1_001
    peer.told_getSlot = lambda options: 1_000  # type: ignore[method-assign]
    told = peer.told_getMultipleAccounts

    def at_an_earlier_slot(*params: Any) -> dict[str, Any]:
        peer.slots = [1_000]
        return told(*params)

    peer.told_getMultipleAccounts = at_an_earlier_slot  # type: ignore[method-assign]
    peer.fault = lambda question: "500" if peer.asked.count("getMultipleAccounts") > 1 else None
    report = read(read_chain, ChainRequest("solana", [(RICH, SOL)]), peer)
    assert amounts(report) == [("ok", 5)]
    assert report.block is not None
    assert report.block.number == 1_000
    assert report.problems[0] == "read at slots 1000 to 1001, not at one"
