"""Real EVM nodes on this machine: anvil processes on free ports, with Multicall3 at its place. For the demo and tests.

Belongs here: starting, asking, changing and surely stopping nodes. Must not be here: where the program comes from
(node_program), contracts (contracts), what our own code asks. A node dies with the process that started it, also when
that is killed.
"""

import ctypes
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from eth_utils.crypto import keccak

from assets.wallets import codec
from assets.wallets.reference import MULTICALL3_CODE_HASH

MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
_LISTENING = "Listening on 127.0.0.1:"
_START_SECONDS = 20
_PR_SET_PDEATHSIG = 1
# no proxy of the environment stands between us and our own node
_open = build_opener(ProxyHandler({})).open


class RpcError(Exception):
    """The error object of a JSON-RPC answer."""


@dataclass(frozen=True)
class EvmNode:
    """One running node."""

    chain_id: int
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC over HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def rpc(self, method: str, *params: Any) -> Any:
        """Ask one thing; an error object is raised."""
        return self.batch([(method, params)])[0]

    def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Ask several things in one JSON-RPC batch; results in the order of the requests."""
        body = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": list(params)}
            for index, (method, params) in enumerate(requests)
        ]
        headers = {"content-type": "application/json"}
        request = Request(self.url, json.dumps(body).encode(), headers)  # noqa: S310 -- http, to our own node
        with _open(request, timeout=60) as response:
            answers = sorted(json.load(response), key=lambda answer: answer["id"])
        for answer in answers:
            if "error" in answer:
                raise RpcError(json.dumps(answer["error"]))
        return [answer["result"] for answer in answers]

    def set_code(self, address: str, code: bytes) -> None:
        """Put runtime code at an address."""
        self.set_codes({address: code})

    def set_codes(self, codes: Mapping[str, bytes]) -> None:
        """Put runtime code at addresses."""
        self.batch([("anvil_setCode", (address, "0x" + code.hex())) for address, code in codes.items()])

    def set_balance(self, wallet: str, wei: int) -> None:
        """Give a wallet this much of the native coin."""
        self.rpc("anvil_setBalance", wallet, hex(wei))

    def set_token_balances(self, balances: dict[tuple[str, str], int]) -> None:
        """Set raw balances by (token, wallet) of tokens that `contracts` made."""
        self.batch(
            [
                ("anvil_setStorageAt", (token, _hex_word(int(wallet, 16)), _hex_word(amount)))
                for (token, wallet), amount in balances.items()
            ]
        )

    def mine(self, blocks: int = 1) -> None:
        """Add blocks."""
        self.rpc("anvil_mine", hex(blocks))

    def call(self, target: str, data: bytes, block: str = "latest") -> bytes:
        """What eth_call returns."""
        return codec.decode_hex(self.rpc("eth_call", {"to": target, "data": "0x" + data.hex()}, block))


class EvmNodes:
    """Starts nodes; as a context manager it stops all of them at the end."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._stack = ExitStack()

    def __enter__(self) -> "EvmNodes":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, chain_id: int, *options: str, multicall3: str | None = MULTICALL3) -> EvmNode:
        """Start a node, about 0.1 s.

        Args:
            chain_id: what it says to eth_chainId.
            options: further options of anvil, e.g. `--block-time 1`.
            multicall3: where Multicall3 is put; None for a chain without it.
        """
        return self._stack.enter_context(running_node(self._program, chain_id, *options, multicall3=multicall3))


@contextmanager
def running_node(program: Path, chain_id: int, *options: str, multicall3: str | None = MULTICALL3) -> Iterator[EvmNode]:
    """One node, as `EvmNodes.start` gives it, stopped at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="holdfast-evm-") as folder:
        log = Path(folder, "log")
        command = [
            str(program), "--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id), "--accounts", "0",
            "--threads", "1", "--cache-path", folder, *options,
        ]  # fmt: skip
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 -- the program of node_program, no shell
                command, stdout=output, stderr=output, preexec_fn=_die_with_parent
            )
        try:
            node = EvmNode(chain_id, _wait_for_port(process, log), process)
            if multicall3 is not None:
                node.set_code(multicall3, multicall3_code())
            yield node
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@cache
def multicall3_code() -> bytes:
    """The runtime code of the real Multicall3, by its hash."""
    text = Path(__file__).with_name("multicall3.hex").read_text()
    code = bytes.fromhex("".join(text.split()))
    if f"0x{keccak(code).hex()}" != MULTICALL3_CODE_HASH:
        raise RuntimeError("multicall3.hex does not hold the code of Multicall3; restore the file")
    return code


def _wait_for_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The free port that the system gave, from what the node printed last in its greeting."""
    limit = time.monotonic() + _START_SECONDS
    while time.monotonic() < limit:
        for line in log.read_text(errors="replace").splitlines(keepends=True):
            if line.startswith(_LISTENING) and line.endswith("\n"):
                return int(line.removeprefix(_LISTENING))
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise RuntimeError(f"anvil did not start (exit code {process.poll()}): {log.read_text(errors='replace')[-2000:]}")


def _die_with_parent() -> None:
    """In the child before it becomes the node: the kernel ends it when our process is gone (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _hex_word(number: int) -> str:
    return "0x" + codec.encode_uint256(number).hex()
