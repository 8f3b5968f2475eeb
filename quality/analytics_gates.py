"""What the measures and targets of the candidates must keep before anybody sees them: the stage analytics."""

from __future__ import annotations

from assets.registry.groups import own_groups
from assets.registry.instruments_csv import ASSET_CLASSES
from quality.gate import Gate
from quality.holding_gates import CENT

#: Where the day's identity is broken already, that is what there is to say.
IDENTITY_HOLDS = """not exists (
    select 1 from quality.check_results as results
    inner join ops.current_run on results.run_id = current_run.run_id
    where results.check_name = 'identity_residual' and not results.passed
      and results.portfolio_id = measured.portfolio_id)"""
#: The return of a day that begins with less than a cent is in the whole and in no part (docs/metrics.md).
LACKS_DAYS = "position('coverage:tiny_days' in coalesce(undefined_reason, '')) > 0"
#: Groups that the product's own lists have, as rows (dimension, name).
KNOWN_GROUPS = ", ".join(
    f"('{by}', '{name}')" for by, names in {**own_groups(), "asset_class": ASSET_CLASSES}.items() for name in names
)

ANALYTICS_GATES: tuple[Gate, ...] = (
    Gate(
        name="dietz_agrees_with_twr",
        stage="analytics",
        reach="portfolio",
        severity="error",
        threshold="1e-9, relative to 1 + the return",
        description="Where nothing was paid in or out and the value stayed positive, Modified Dietz is the TWR.",
        next_step="Report it with the portfolio's transactions: the gain and the daily returns disagree.",
        # without flows the index is the value over the start value: a fall above -100 % means it stayed positive
        offenders="""
            select measured.portfolio_id, null,
                   measured.period_type || ': Dietz ' || measured.modified_dietz || ', TWR ' || measured.twr
            from build.portfolio_performance as measured
            where measured.start_value_base > 0 and measured.max_drawdown > -1
              and abs(measured.modified_dietz - measured.twr) > 1e-9 * (1 + abs(measured.twr))
              and not exists (
                  select 1 from intermediate.ledger_flows as flows
                  where flows.portfolio_id = measured.portfolio_id
                    and flows.flow_date between measured.period_start and measured.period_end)
            order by measured.portfolio_id, measured.period_type""",
    ),
    Gate(
        name="contributions_add_up",
        stage="analytics",
        reach="portfolio",
        severity="error",
        threshold=f"return 1e-9, relative to 1 + the return; gain {CENT} of the base currency",
        description="What the instruments of a portfolio gave to a period adds up to its TWR and to its gain.",
        next_step="Report it with the portfolio's transactions: positions, entries and daily values disagree.",
        offenders=f"""
            with summed as (
                select portfolio_id, period_type, sum(contribution) as contribution, sum(gain_base) as gain_base,
                    bool_or({LACKS_DAYS}) as lacks_days
                from build.portfolio_contribution group by portfolio_id, period_type)
            select measured.portfolio_id, null, measured.period_type || ': contributions '
                   || coalesce(summed.contribution, 0) || ' of TWR ' || coalesce(measured.twr, 0) || ', gains '
                   || round(coalesce(summed.gain_base, 0), 4) || ' of ' || round(measured.absolute_gain_base, 4)
            from build.portfolio_performance as measured
            left join summed using (portfolio_id, period_type)
            where (abs(coalesce(summed.contribution, 0) - measured.twr) > 1e-9 * (1 + abs(measured.twr))
                   and not coalesce(summed.lacks_days, false)
                   or abs(coalesce(summed.gain_base, 0) - measured.absolute_gain_base) > {CENT})
              and {IDENTITY_HOLDS}
            order by measured.portfolio_id, measured.period_type""",
    ),
    Gate(
        name="attribution_adds_up",
        stage="analytics",
        reach="portfolio",
        severity="error",
        threshold="1e-9, relative to 1 + the returns",
        description="Allocation, selection and interaction add up to the TWR less the benchmark's return.",
        next_step="Report it with the portfolio's transactions: weights and daily returns disagree.",
        offenders=f"""
            with summed as (
                select portfolio_id, period_type, sum(allocation + selection + interaction) as effects,
                       max(benchmark_return) as benchmark_return, bool_or({LACKS_DAYS}) as lacks_days
                from build.performance_attribution group by portfolio_id, period_type)
            select portfolio_id, null, summed.period_type || ': effects ' || summed.effects || ' of TWR '
                   || measured.twr || ' less benchmark ' || summed.benchmark_return
            from summed inner join build.portfolio_performance as measured using (portfolio_id, period_type)
            where abs(summed.effects - (measured.twr - summed.benchmark_return))
                  > 1e-9 * (1 + abs(measured.twr) + abs(summed.benchmark_return))
              and not summed.lacks_days
              and {IDENTITY_HOLDS}
            order by portfolio_id, summed.period_type""",
    ),
    Gate(
        name="weights_add_up",
        stage="analytics",
        reach="portfolio",
        severity="error",
        threshold="1e-9",
        description="The weights of what a portfolio holds are shares of one whole, and no bucket adds or loses any.",
        next_step="Report it: an allocation does not add up.",
        offenders="""
            with held as (
                -- a debt in one account and the same asset in another share a bucket: its weight is that of both
                select portfolio_id, sum(weight) as weight, sum(weight) filter (where weight > 0) as positive,
                       sum(abs(weight)) as size
                from build.portfolio_assets where weight is not null group by portfolio_id),
            allocated as (
                select portfolio_id, sum(weight) as weight
                from build.portfolio_allocation where weight is not null and dimension = 'asset'
                group by portfolio_id)
            select portfolio_id, null, 'asset: ' || coalesce(allocated.weight, 0) || ' of ' || held.weight
                   || ', holdings: ' || held.positive
            from held left join allocated using (portfolio_id)
            where abs(held.positive - 1) > 1e-9
               or abs(coalesce(allocated.weight, 0) - held.weight) > 1e-9 * held.size
            order by portfolio_id""",
    ),
    Gate(
        name="targets_are_feasible",
        stage="analytics",
        reach="portfolio",
        severity="error",
        threshold="sum 1 within 1e-6, bounds within 1e-6",
        description="Computed target weights add up to 1 and keep their bounds.",
        next_step="Report it: an optimisation broke its own constraints.",
        offenders="""
            select portfolio_id, null, 'sum of targets ' || sum(weight)
            from build.target_weights group by portfolio_id, run_id having abs(sum(weight) - 1) > 1e-6
            union all
            select portfolio_id, instrument_id, weight || ' outside [' || lower || ', ' || upper || ']'
            from build.target_weights where weight < lower - 1e-6 or weight > upper + 1e-6""",
    ),
    Gate(
        name="component_var_adds_up",
        stage="analytics",
        reach="portfolio",
        severity="error",
        threshold=f"{CENT} of the base currency",
        description="What the holdings add to the parametric value at risk adds up to it.",
        next_step="Report it with the portfolio's transactions: holdings and their returns disagree.",
        offenders=f"""
            with summed as (
                select portfolio_id, horizon_days, confidence, sum(component_var_base) as component_var_base
                from build.risk_contributions group by portfolio_id, horizon_days, confidence)
            select portfolio_id, null, horizon_days || ' days, ' || confidence || ': components '
                   || round(coalesce(summed.component_var_base, 0), 4) || ' of VaR ' || round(whole.var_base, 4)
            from build.portfolio_risk as whole
            left join summed using (portfolio_id, horizon_days, confidence)
            where whole.method = 'parametric'
              and abs(coalesce(summed.component_var_base, 0) - whole.var_base) > {CENT}
            order by portfolio_id, horizon_days, confidence""",
    ),
    Gate(
        name="limits_are_kept",
        stage="analytics",
        reach="none",
        severity="warn",
        threshold="limits of the portfolio",
        description="No measure of a portfolio is beyond the limit at which its owner wants to be told.",
        next_step="Look at the portfolio's rows in allocation_risk; change what is held, or the limit.",
        offenders="""
            select portfolio_id, null, rule || ' ' || round(metric::numeric, 4) || ', limit '
                   || round(fail_threshold::numeric, 4)
            from build.allocation_risk where is_own_limit and verdict = 'fail' order by portfolio_id, rule""",
    ),
    Gate(
        name="compiled_optimum_is_as_good",
        stage="analytics",
        reach="portfolio",
        severity="error",
        threshold="objective within 1e-6 of PyPortfolioOpt's, on a sample of each run",
        description="What the compiled solver found is not worse than what PyPortfolioOpt finds.",
        next_step="Report it with optimization_inputs of that portfolio; it keeps its last published rows.",
        offenders="""
            select portfolio_id, null, objective || ' ' || value || ', PyPortfolioOpt ' || reference
            from intermediate.optimization_checks where not is_agreed order by portfolio_id""",
    ),
    Gate(
        name="compiled_solver_is_sound",
        stage="analytics",
        reach="run",
        severity="error",
        threshold="1 portfolio of the sample",
        description="The compiled solver is not worse than PyPortfolioOpt for more than one portfolio of the sample.",
        next_step="Report it with optimization_inputs of those portfolios: others may be wrong too.",
        offenders="""
            select null, null, count(*) || ' of the sample are worse: ' || string_agg(portfolio_id, ', ')
            from intermediate.optimization_checks where not is_agreed having count(*) > 1""",
    ),
    Gate(
        name="group_limits_are_known",
        stage="analytics",
        reach="none",
        severity="warn",
        threshold="groups that an instrument can have",
        description="Each limit of a policy names a group that an instrument can be in.",
        next_step="Correct the group in registry.policies, or give an instrument this group; nothing is in it now.",
        # an application may write policies without the checks of portfolios.yaml
        offenders=f"""
            with known (by, name) as (
                values {KNOWN_GROUPS}
                union select 'protocol', protocol from registry.instruments
                union select 'category', category from registry.instruments
                union select 'protocol', protocol from intermediate.int_instruments
                union select 'category', category from intermediate.int_instruments
            )
            select policies.portfolio_id, null,
                   coalesce(wanted ->> 'by', 'no dimension') || ' ' || coalesce(wanted ->> 'group', 'without a group')
            from registry.policies as policies
            inner join ops.run_scope using (portfolio_id)
            cross join jsonb_array_elements(policies.group_limits) as limits (wanted)
            where not exists (select 1 from known
                              where known.by = wanted ->> 'by' and known.name = wanted ->> 'group')
            order by policies.portfolio_id, wanted ->> 'by', wanted ->> 'group'""",
    ),
    Gate(
        name="optimisation_succeeds",
        stage="analytics",
        reach="none",
        severity="warn",
        threshold="status optimal",
        description="Each policy's optimisation found its optimum.",
        next_step="Read fallback_reason in optimization_runs; loosen the policy or add history.",
        offenders="""
            select portfolio_id, null, objective || ': ' || status || coalesce(', ' || fallback_reason, '')
            from build.optimization_runs where status <> 'optimal' order by portfolio_id""",
    ),
)
