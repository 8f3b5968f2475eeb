"""Identifiers: the grammar of instrument ids, currencies and EVM addresses.

Belongs here: what an id may look like and its one normal form (`USD` → `fiat:USD`, addresses → EIP-55).
Must not be here: what an instrument is worth, or whether it exists; addresses of other families (addresses.py).
"""

import re
from difflib import get_close_matches
from functools import lru_cache

from assets.registry.base58 import decode
from assets.registry.secret_shapes import secret_kind

INSTRUMENT_EXPECTED = (
    "an instrument id such as fiat:EUR, crypto:BTC, equity:AAPL, etf:SPY, commodity:XAU, bond:US10Y, index:SPX, "
    "rate:US3M, custom:my-flat or eip155:1/erc20:0x…"
)
CURRENCY_EXPECTED = "an ISO 4217 code such as USD, or an instrument id such as fiat:USD"
ADDRESS_EXPECTED = "an EVM address: 0x and 40 hexadecimal digits"

# ISO 4217 with the codes that the euro and redenominations replaced: old transactions still name them.
_CURRENCY_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF
CLP CNH CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
UGX USD USN UYI UYU UZS VED VES VND VUV WST XAF XAG XAU XCD XCG XDR XOF XPD XPF XPT YER ZAR ZMW ZWG ZWL ATS BEF CYP
DEM EEK ESP FIM FRF GRD IEP ITL LTL LUF LVL MTL NLG PTE SIT SKK BYR MRO STD TRL RUR ROL PLZ VEF ZMK
"""
ISO_4217 = frozenset(_CURRENCY_CODES.split())
_MARKET_KINDS = ("equity", "etf", "commodity", "bond", "index", "rate")
_KINDS = ("fiat", "crypto", *_MARKET_KINDS, "custom")
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=_&+$*\-]{0,63}")
_CUSTOM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,127}")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_CAIP19 = re.compile(
    r"eip155:(?P<chain>[1-9][0-9]{0,18})/(?:(?P<coin>slip44:[0-9]+)|"
    r"(?P<standard>erc20|erc721|erc1155):(?P<address>0[xX][0-9a-fA-F]{40})(?:/(?P<token>[0-9]{1,78}))?)"
)
_BITCOIN_COIN = "bip122:000000000019d6689c085ae165831e93/slip44:0"
_SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
_SOLANA_COIN, _SOLANA_TOKEN = f"{_SOLANA}/slip44:501", f"{_SOLANA}/token:"


class Refusal(ValueError):  # noqa: N818 -- not an error of the program: an answer to a value
    """A value that is not what it should be: what was expected, and the remedy."""

    def __init__(self, expected: str, remedy: str) -> None:
        self.expected = expected
        self.remedy = remedy
        super().__init__(f"expected {expected}; {remedy}")


def suggestion(value: str, known: list[str] | tuple[str, ...] | frozenset[str] | set[str]) -> str:
    """Say `did you mean …?`, or an empty text when nothing known is near."""
    names = sorted(known)
    close = get_close_matches(value, names, n=1, cutoff=0.6)
    if not close:
        folded = {name.casefold(): name for name in names}
        close = [folded[near] for near in get_close_matches(value.casefold(), list(folded), n=1, cutoff=0.6)]
    return f"did you mean {close[0]}?" if close else ""


def held_instrument_id(text: str) -> str:
    """Check the id of an instrument that can be held: any but a rate.

    Raises:
        Refusal: it is none.
    """
    if text.startswith("rate:"):
        raise Refusal("an instrument that can be held", "a rate is never held: use it as benchmark or risk_free_rate")
    return instrument_id(text)


@lru_cache(maxsize=65536)
def instrument_id(text: str) -> str:
    """Check an instrument id and give its normal form.

    Args:
        text: the id as written.

    Returns:
        The id; addresses inside it in EIP-55 spelling, so that one token has one id.

    Raises:
        Refusal: it is none.
    """
    kind, colon, rest = text.partition(":")
    if secret_kind(text):
        raise Refusal(INSTRUMENT_EXPECTED, "remove it")
    if kind == "eip155":
        return _on_chain(text)
    if kind in ("bip122", "solana"):
        return _on_other_chain(kind, text)
    if kind == "fiat" and rest in ISO_4217:
        return text
    if kind == "fiat":
        raise Refusal("fiat: and an ISO 4217 code", suggestion(rest, ISO_4217) or "use capitals, as in fiat:EUR")
    if kind in ("crypto", *_MARKET_KINDS) and _SYMBOL.fullmatch(rest):
        return text
    if kind == "custom" and _CUSTOM.fullmatch(rest):
        return text
    if not colon:
        remedy = f"a bare code is no instrument: write fiat:{text}" if text in ISO_4217 else "put its kind before it"
        raise Refusal(INSTRUMENT_EXPECTED, remedy)
    if kind not in _KINDS:
        raise Refusal(
            INSTRUMENT_EXPECTED,
            suggestion(kind, _KINDS) or f"the kind is one of {', '.join(_KINDS)}, eip155, bip122, solana",
        )
    raise Refusal(INSTRUMENT_EXPECTED, "use letters, digits, dot, hyphen or underscore after the colon")


def currency_id(text: str) -> str:
    """Check a currency, an ISO 4217 code or any instrument id, and give its instrument id (`fiat:USD`).

    Raises:
        Refusal: it is neither.
    """
    if text in ISO_4217:
        return f"fiat:{text}"
    if text.upper() in ISO_4217:
        raise Refusal(CURRENCY_EXPECTED, f"did you mean {text.upper()}?")
    if text in ("GBX", "GBp"):
        raise Refusal(CURRENCY_EXPECTED, "pence: divide by 100 and write GBP")
    if ":" not in text:
        raise Refusal(
            CURRENCY_EXPECTED, suggestion(text, ISO_4217) if len(text) == 3 else "write e.g. USD or crypto:BTC"
        )
    return instrument_id(text)


def fiat_code(text: str) -> str:
    """Check a base currency and give its ISO 4217 code (`EUR`, also for `fiat:EUR`).

    Raises:
        Refusal: it is not a fiat currency.
    """
    code = text.removeprefix("fiat:")
    if code in ISO_4217:
        return code
    raise Refusal(
        "an ISO 4217 code such as EUR", suggestion(code.upper(), ISO_4217) or "a base currency is a fiat currency"
    )


def evm_address(text: str) -> str:
    """Check an EVM address and give its EIP-55 spelling.

    Raises:
        Refusal: wrong form, or mixed case whose checksum does not hold (a mistyped address).
    """
    if not _ADDRESS.fullmatch(text):
        raise Refusal(ADDRESS_EXPECTED, "copy the address again")
    from eth_utils.address import to_checksum_address

    digits = text[2:]
    normal = str(to_checksum_address("0x" + digits.lower()))
    if digits not in (digits.lower(), digits.upper()) and digits != normal[2:]:
        raise Refusal(
            "an EVM address whose EIP-55 checksum holds",
            "one character or its case is wrong: copy the address again, or write it all in lower case if you are sure",
        )
    return normal


def _on_chain(text: str) -> str:
    """CAIP-19 on EVM chains; the native coin of each is slip44:60 here."""
    match = _CAIP19.fullmatch(text)
    if match is None:
        raise Refusal(
            "a CAIP-19 id such as eip155:1/erc20:0x… or eip155:1/slip44:60", "name chain, standard and address"
        )
    chain, standard = match["chain"], match["standard"]
    if standard is None:
        if match["coin"] != "slip44:60":
            raise Refusal(f"eip155:{chain}/slip44:60", "the native coin of every EVM chain is slip44:60 here")
        return text
    token = match["token"]
    if standard == "erc20" and token is not None:
        raise Refusal("an erc20 id without a token number", "leave out what follows the address")
    return f"eip155:{chain}/{standard}:{evm_address(match['address'])}" + (f"/{token}" if token else "")


def _on_other_chain(kind: str, text: str) -> str:
    """CAIP-19 on Bitcoin and Solana, main networks only."""
    if kind == "bip122":
        if text != _BITCOIN_COIN:
            raise Refusal(_BITCOIN_COIN, "only the coin of Bitcoin's main network is known")
        return text
    if text == _SOLANA_COIN:
        return text
    try:
        is_mint = text.startswith(_SOLANA_TOKEN) and len(decode(text.removeprefix(_SOLANA_TOKEN))) == 32
    except ValueError:
        is_mint = False
    if not is_mint:
        raise Refusal(f"{_SOLANA_COIN} or {_SOLANA_TOKEN}<mint>", "only Solana's main network is known: copy the mint")
    return text
