"""All gates after landing, in the order of the pipeline."""

from __future__ import annotations

from quality.analytics_gates import ANALYTICS_GATES
from quality.correlation_gates import CORRELATION_GATES
from quality.gate import Gate
from quality.holding_gates import HOLDING_GATES
from quality.input_gates import INPUT_GATES
from quality.ledger_gates import LEDGER_GATES
from quality.wallet_gates import WALLET_GATES

GATES: tuple[Gate, ...] = (
    *INPUT_GATES,
    *WALLET_GATES,
    *LEDGER_GATES,
    *HOLDING_GATES,
    *ANALYTICS_GATES,
    *CORRELATION_GATES,
)


def stages() -> tuple[str, ...]:
    """Stages in the order of the pipeline."""
    return tuple(dict.fromkeys(gate.stage for gate in GATES))


def gates_of(stage: str) -> tuple[Gate, ...]:
    """The gates of one stage."""
    return tuple(gate for gate in GATES if gate.stage == stage)
