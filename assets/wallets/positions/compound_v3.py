"""Compound v3: what is supplied and borrowed of a market's base token, and collateral.

Belongs here: calls of a comet, which collateral a wallet has. Must not be here: which comets there are (reviewed data).

Rounds: base balances and the wallet's basic data, whose bits say which collateral it has (Comet's `isInAsset`: 16 bits
of `assetsIn`, 8 more in `_reserved`); then those assets, once per comet; then the collateral itself. Collateral and
debt have no token of their own: their ids are of our namespace `comet`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.wallets import codec
from assets.wallets.codec import Call, Outcome, encode_address, encode_uint256
from assets.wallets.model import Component, PinnedChain, Position
from assets.wallets.positions.answers import UnreadError, address, address_of, decimals, number, uint, words
from assets.wallets.positions.reading import Receipt, instrument, token

PROTOCOL, CATEGORY = "compound-v3", "lending"

_BORROW_BALANCE_OF = bytes.fromhex("374c49b4")  # borrowBalanceOf(address)
_USER_BASIC = bytes.fromhex("dc4abafd")  # userBasic(address)
_BASE_TOKEN = bytes.fromhex("c55dae63")  # baseToken()
_GET_ASSET_INFO = bytes.fromhex("c8c7fe6b")  # getAssetInfo(uint8)
_COLLATERAL_BALANCE_OF = bytes.fromhex("5c2549ee")  # collateralBalanceOf(address,address)


@dataclass(frozen=True, slots=True)
class _Basic:
    """What a comet says of one wallet in the first round."""

    wallet: str
    comet: str
    supplied: int
    borrowed: int
    assets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CompoundV3Reader:
    """Positions in some comets."""

    slug: str
    comets: tuple[str, ...]

    @property
    def name(self) -> str:
        """The protocol."""
        return PROTOCOL

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """Base supplied, base borrowed (negative) and collateral of the wallets."""
        asked = [(wallet, comet) for wallet in wallets for comet in self.comets]
        outcomes = await chain.call(
            [
                Call(comet, data + encode_address(wallet))
                for wallet, comet in asked
                for data in (codec.balance_of(wallet)[:4], _BORROW_BALANCE_OF, _USER_BASIC)
            ]
        )
        found: list[Position] = []
        basics: list[_Basic] = []
        for place, (wallet, comet) in enumerate(asked):
            balance, borrowed, basic = outcomes[3 * place : 3 * place + 3]
            if balance is not None and balance.returned == b"":
                continue  # the comet does not exist on this chain at this block
            try:
                basics.append(_Basic(wallet, comet, uint(balance), uint(borrowed), _collateral_numbers(basic)))
            except UnreadError as error:
                found.append(self._base(comet, "supplied", 0).unread(wallet, str(error)))
                found.append(self._base(comet, "borrowed", 0).unread(wallet, str(error)))
        basics = [one for one in basics if one.supplied or one.borrowed or one.assets]
        if not basics:
            return found
        about = await self._about(chain, basics)
        amounts = await self._collateral(chain, basics, about)
        for one in basics:
            found += self._base_positions(one, about)
            found += self._collateral_positions(one, about, amounts)
        return found

    async def _about(self, chain: PinnedChain, basics: list[_Basic]) -> dict[Call, Outcome | None]:
        """Base token and decimals of each comet, and the collateral assets that wallets have."""
        calls: dict[Call, None] = {}
        for one in basics:
            questions = (_BASE_TOKEN, codec.DECIMALS, *map(_asset_info, one.assets))
            calls.update(dict.fromkeys(Call(one.comet, data) for data in questions))
        return dict(zip(calls, await chain.call(list(calls)), strict=True))

    async def _collateral(
        self, chain: PinnedChain, basics: list[_Basic], about: dict[Call, Outcome | None]
    ) -> dict[Call, Outcome | None]:
        """Collateral balances by their call; an asset that was not read is not asked."""
        calls: list[Call] = []
        for one in basics:
            for index in one.assets:
                try:
                    asset, _ = _asset(about[Call(one.comet, _asset_info(index))])
                except UnreadError:
                    continue
                calls.append(_collateral_call(one, asset))
        return dict(zip(calls, await chain.call(calls) if calls else [], strict=True))

    def _base_positions(self, one: _Basic, about: dict[Call, Outcome | None]) -> list[Position]:
        found = []
        for sign, amount, asset_type in ((1, one.supplied, "supplied"), (-1, one.borrowed, "borrowed")):
            if not amount:
                continue
            try:
                places = decimals(about[Call(one.comet, codec.DECIMALS)])
                base = token(self.slug, address(about[Call(one.comet, _BASE_TOKEN)]))
            except UnreadError as error:
                found.append(self._base(one.comet, asset_type, 0).unread(one.wallet, str(error)))
                continue
            component = Component(base, sign * amount, places)
            found.append(self._base(one.comet, asset_type, places).held(one.wallet, sign * amount, [component]))
        return found

    def _collateral_positions(
        self, one: _Basic, about: dict[Call, Outcome | None], amounts: dict[Call, Outcome | None]
    ) -> list[Position]:
        found = []
        for index in one.assets:
            try:
                asset, places = _asset(about[Call(one.comet, _asset_info(index))])
            except UnreadError as error:
                nameless = self._receipt(instrument(self.slug, "comet", one.comet, f"asset-{index}"), "supplied", 0)
                found.append(nameless.unread(one.wallet, str(error)))
                continue
            receipt = self._receipt(instrument(self.slug, "comet", one.comet, asset), "supplied", places)
            try:
                amount = uint(amounts[_collateral_call(one, asset)], 128)
            except UnreadError as error:
                found.append(receipt.unread(one.wallet, str(error)))
                continue
            if amount:
                found.append(receipt.held(one.wallet, amount, [Component(token(self.slug, asset), amount, places)]))
        return found

    def _base(self, comet: str, asset_type: str, places: int) -> Receipt:
        supplied = asset_type == "supplied"
        one = instrument(self.slug, "erc20", comet) if supplied else instrument(self.slug, "comet", comet, "borrowed")
        return self._receipt(one, asset_type, places)

    def _receipt(self, one: str, asset_type: str, places: int) -> Receipt:
        return Receipt(one, asset_type, PROTOCOL, CATEGORY, places)


def _asset_info(index: int) -> bytes:
    return _GET_ASSET_INFO + encode_uint256(index)


def _collateral_call(one: _Basic, asset: str) -> Call:
    return Call(one.comet, _COLLATERAL_BALANCE_OF + encode_address(one.wallet) + encode_address(asset))


def _collateral_numbers(outcome: Outcome | None) -> tuple[int, ...]:
    """The numbers of the collateral assets in userBasic: principal, two indices, assetsIn, _reserved."""
    _, _, _, assets_in, reserved = words(outcome, 5)
    bits = number(assets_in, 16) | number(reserved, 8) << 16
    return tuple(index for index in range(24) if bits >> index & 1)


def _asset(outcome: Outcome | None) -> tuple[str, int]:
    """The address and decimals of a collateral asset: getAssetInfo's offset, asset, price feed, scale, four more."""
    _, asset, _, scale, *_ = words(outcome, 8)
    power = str(number(scale, 64))
    if power.strip("0") != "1":
        raise UnreadError(f"a scale of {power} is no power of ten")
    return address_of(asset), len(power) - 1
