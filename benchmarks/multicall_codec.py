"""What 200 balances cost to write and to read, beside eth_abi: `python -m benchmarks.multicall_codec`.

Belongs here: the codec alone, best of several turns. Must not be here: networks. The reach is 0.3 ms for reading.
"""

import timeit

from eth_abi.abi import decode, encode

from assets.wallets import codec

BALANCES, TURNS, REPEATS = 200, 50, 10
TYPES = "(bool,bytes)[]"


def main() -> None:
    """Print milliseconds for 200 balances."""
    answer = encode([TYPES], [[(True, codec.encode_uint256(10**18 + number)) for number in range(BALANCES)]])
    wallet, tokens = "0x" + "cd" * 20, [f"0x{number:040x}" for number in range(BALANCES)]

    def write() -> bytes:
        data = codec.balance_of(wallet)
        return codec.encode_aggregate3([codec.Call(token, data) for token in tokens])

    def read() -> list[int | None]:
        outcomes = codec.decode_aggregate3(answer, BALANCES)
        return [None if one.returned is None else codec.decode_uint(one.returned) for one in outcomes]

    def read_with_eth_abi() -> list[int]:
        return [int.from_bytes(data) for _, data in decode([TYPES], answer)[0]]

    assert read() == read_with_eth_abi()
    for name, work in (("write", write), ("read", read), ("read with eth_abi", read_with_eth_abi)):
        seconds = min(timeit.repeat(work, number=TURNS, repeat=REPEATS)) / TURNS
        print(f"{name:18} {seconds * 1e3:6.3f} ms")


if __name__ == "__main__":
    main()
