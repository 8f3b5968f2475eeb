"""dbt operations as assets, split by blast radius: market, holdings, analytics and quality each fail apart."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from assets import keys
from assets.warehouse import dbt

#: operation -> dbt selection and the group that its assets show in
OPERATIONS = {
    "market": ("tag:market", keys.MARKET),
    "holdings": ("tag:holdings", keys.HOLDINGS),
    "analytics": ("tag:measures tag:allocation", keys.ALLOCATION),
    "quality": ("tag:quality", keys.QUALITY),
}


class Translator(DagsterDbtTranslator):  # type: ignore[misc]
    """Names dbt's nodes as the rest of the graph names them."""

    def __init__(self) -> None:
        super().__init__(
            # the tables of a run (runs, current_run, input_files) are one asset
            DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_duplicate_source_asset_keys=True)
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Schema and name of a model; the writer's key of a source."""
        if dbt_resource_props["resource_type"] == "source":
            return keys.dbt_source(dbt_resource_props["schema"], dbt_resource_props["name"])
        return keys.dbt_model(dbt_resource_props["schema"], dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The group of the operation that builds the model."""
        tags = set(dbt_resource_props.get("tags", ()))
        if "measures" in tags:
            return keys.MEASURES
        return next((group for name, (_, group) in OPERATIONS.items() if name in tags), keys.ALLOCATION)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """Who answers for it."""
        return ["team:holdfast"]


def build_operations(manifest: Path) -> list[dg.AssetsDefinition]:
    """The four dbt operations of a parsed project."""
    return [_operation(name, select, manifest) for name, (select, _) in OPERATIONS.items()]


def _operation(name: str, select: str, manifest: Path) -> dg.AssetsDefinition:
    @dbt_assets(  # type: ignore[untyped-decorator]
        manifest=manifest,
        select=select,
        name=f"dbt_{name}",
        dagster_dbt_translator=Translator(),
        required_resource_keys={"warehouse", "progress"},
        pool="dbt",
    )
    def operation(context: dg.AssetExecutionContext) -> Iterator[Any]:
        warehouse = context.resources.warehouse
        result = dbt.build(warehouse.url, select)
        broken = [test for test in result.tests if test.status not in {"pass", "warn"}]
        slowest = max(result.models, key=lambda model: model.seconds)
        context.resources.progress.say(
            name,
            f"{len(result.models)} models, {len(result.tests)} tests, {len(broken)} failed; "
            f"slowest {slowest.name} {slowest.seconds:.1f} s",
        )
        warehouse.record_dbt_tests(context.run.run_id, result.tests)
        for model in result.models:
            key = keys.dbt_model(model.schema, model.name)
            rows = {} if model.rows is None else {"dagster/row_count": model.rows}
            yield dg.MaterializeResult(asset_key=key, metadata={**rows, "seconds": round(model.seconds, 3)})
        for test in result.tests:
            if test.attached_key:
                yield dg.AssetCheckResult(
                    asset_key=keys.dbt_model(*test.attached_key),
                    check_name=test.name,
                    passed=test.status in {"pass", "warn"},
                    metadata={"failed_rows": test.failures or 0, "message": test.message or "passed"},
                )
        if broken:
            raise dg.Failure(
                f"{len(broken)} dbt tests failed, first: {broken[0].name} ({broken[0].failures} rows)",
                metadata={"kind": "held"},
                allow_retries=False,
            )

    return cast(dg.AssetsDefinition, operation)
