"""Nodes for tests: those of the demo, with the program from the tests' own cache."""

from assets.wallets.demo import local_nodes
from assets.wallets.demo.local_nodes import MULTICALL3, EvmNode, RpcError, multicall3_code
from tests.evm_binary import anvil

__all__ = ["MULTICALL3", "EvmNode", "EvmNodes", "RpcError", "multicall3_code"]


class EvmNodes(local_nodes.EvmNodes):
    """Starts nodes; as a context manager it stops all of them at the end."""

    def __init__(self) -> None:
        super().__init__(anvil())
