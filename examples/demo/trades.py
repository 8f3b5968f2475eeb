"""The demo's trades: who bought, sold, moved and earned what, and when. All of them are made up; all prices are real.

Belongs here: days and quantities. Must not be here: prices (the closes of those days) or how a row is written
(ledger_book).
"""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from ledger_book import Book

LISTED = (
    "etf:SPY", "etf:QQQ", "etf:IWM", "etf:EEM", "etf:USO", "equity:AAPL", "equity:GOOGL", "equity:IBM", "equity:BAC",
)  # fmt: skip
LAST_DAY = date(2021, 3, 31)
TO_WALLET = ("exchange", "own-wallet")
TO_EXCHANGE = ("own-wallet", "exchange")


def classic_eur(book: Book) -> None:
    """A European's US stocks and funds: cash in two currencies, taxed dividends, gold, two splits on the way."""
    book.trade_fee = Decimal(1)
    book.deposit(date(2017, 1, 3), "broker", "EUR", "60000")
    book.exchange(date(2017, 1, 4), "broker", "EUR", "55000", "USD")
    for instrument, quantity in (("etf:SPY", "80"), ("etf:QQQ", "60"), ("equity:AAPL", "70"), ("equity:IBM", "40")):
        book.buy(date(2017, 1, 5), "broker", instrument, quantity)
    for instrument, quantity in (("equity:GOOGL", "8"), ("equity:BAC", "250")):
        book.buy(date(2017, 1, 6), "broker", instrument, quantity)
    book.fee(date(2017, 12, 29), "broker", "EUR", "60", "custody")
    book.deposit(date(2018, 2, 12), "broker", "EUR", "15000")
    book.exchange(date(2018, 2, 13), "broker", "EUR", "15000", "USD")
    book.buy(date(2018, 2, 14), "vault", "commodity:XAU", "8", cash="broker")
    book.buy(date(2018, 2, 14), "broker", "etf:EEM", "150")
    book.fee(date(2018, 12, 28), "broker", "EUR", "60", "custody")
    book.sell(date(2019, 6, 20), "broker", "equity:IBM", "40")
    book.deposit(date(2019, 6, 24), "broker", "EUR", "10000")
    book.exchange(date(2019, 6, 24), "broker", "EUR", "10000", "USD")
    book.buy(date(2019, 6, 25), "broker", "etf:IWM", "90")
    book.fee(date(2019, 12, 30), "broker", "EUR", "60", "custody")
    book.buy(date(2020, 3, 23), "broker", "etf:SPY", "15")
    book.buy(date(2020, 4, 3), "broker", "etf:USO", "400")
    book.sell(date(2020, 9, 2), "broker", "equity:AAPL", "80")
    book.exchange(date(2020, 10, 1), "broker", "USD", "6000", "EUR")
    book.withdraw(date(2020, 10, 5), "broker", "EUR", "5000")
    book.fee(date(2020, 12, 30), "broker", "EUR", "60", "custody")
    book.finish(LAST_DAY)


def savings_plan_gbp(book: Book) -> None:
    """A monthly plan that holds no cash: 500 USD into four funds on the first trading day, once a partial sale."""
    book.has_cash = False
    weights = {"etf:SPY": 50, "etf:IWM": 20, "etf:EEM": 15, "etf:QQQ": 15}
    month = date(2018, 1, 1)
    while month <= LAST_DAY:
        day = _first_trading_day(book, month)
        for instrument, weight in weights.items():
            units = (Decimal(5 * weight) / book.close(instrument, day)).quantize(Decimal("1e-4"), ROUND_HALF_UP)
            book.buy(day, "plan", instrument, units)
        if month == date(2020, 11, 1):
            half = (book.held("plan", "etf:EEM") / 2).quantize(Decimal("1e-4"))
            book.sell(day, "plan", "etf:EEM", half)
        month = (month + timedelta(days=32)).replace(day=1)
    book.finish(LAST_DAY)


def crypto_usd(book: Book) -> None:
    """Coins on an exchange and in an own wallet: transfers with network fees, staking, a swap, partial sales."""
    book.deposit(date(2017, 5, 1), "exchange", "USD", "20000")
    book.trade_fee = Decimal("12.50")
    book.buy(date(2017, 5, 2), "exchange", "crypto:BTC", "6")
    book.buy(date(2017, 5, 2), "exchange", "crypto:ETH", "60")
    book.buy(date(2017, 5, 3), "exchange", "crypto:LTC", "150")
    book.transfer("2017-08-14T09:41:27Z", TO_WALLET, "crypto:BTC", "4", "0.0011", "btc-to-own-wallet")
    book.transfer("2017-08-14T10:05:12Z", TO_WALLET, "crypto:ETH", "45", "0.00105", "eth-to-own-wallet")
    book.sell(date(2018, 1, 10), "exchange", "crypto:ETH", "10")
    book.withdraw(date(2018, 1, 12), "exchange", "USD", "8000")
    book.swap(date(2018, 9, 20), "exchange", "crypto:LTC", "10", "crypto:LINK", "ltc-for-link")
    book.transfer("2018-09-22T07:15:50Z", TO_WALLET, "crypto:LINK", "1200", "0.00038", "link-out", gas="crypto:ETH")
    book.transfer("2018-12-03T18:02:31Z", TO_EXCHANGE, "crypto:LINK", "400", "0.00051", "link-back", gas="crypto:ETH")
    book.buy(date(2019, 4, 16), "exchange", "crypto:ATOM", "800")
    book.transfer("2019-04-18T16:20:03Z", TO_WALLET, "crypto:ATOM", "780", "0.005", "atom-to-own-wallet")
    month = date(2019, 6, 1)
    while month <= LAST_DAY:
        # 8.5 % a year, about what Cosmos paid in those years
        book.reward(month, "own-wallet", "crypto:ATOM", "0.0068")
        if month == date(2020, 4, 1):
            book.deposit(date(2020, 4, 2), "exchange", "USD", "6000")
            book.buy(date(2020, 4, 3), "exchange", "crypto:ETH", "30")
        if month == date(2020, 12, 1):
            book.transfer("2020-12-16T21:08:44Z", TO_EXCHANGE, "crypto:BTC", "1.5", "0.00042", "btc-to-exchange")
            book.sell(date(2020, 12, 17), "exchange", "crypto:BTC", "1")
            book.withdraw(date(2020, 12, 21), "exchange", "USD", "15000")
        month = (month + timedelta(days=32)).replace(day=1)
    book.finish(LAST_DAY)


def _first_trading_day(book: Book, day: date) -> date:
    for later in range(7):
        candidate = day + timedelta(days=later)
        try:
            book.close("etf:SPY", candidate)
        except KeyError:
            continue
        return candidate
    raise ValueError(f"no trading day in the week from {day} on")
