"""Records the asset graph after a wanted change: `python -m tests.graph.record`."""

import json

from assets.warehouse import dbt
from orchestration.definitions import build_definitions
from tests.graph.test_definitions import SNAPSHOT, describe

if __name__ == "__main__":
    dbt.prepare()
    graph = build_definitions().resolve_asset_graph()
    SNAPSHOT.write_text(json.dumps(describe(graph), indent=1, sort_keys=True) + "\n")
    print(f"recorded {SNAPSHOT}")
