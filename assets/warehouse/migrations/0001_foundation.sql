-- Schemas, domains, and the tables that Python writes. dbt owns what it builds; history.* is made by the publication.
create schema if not exists registry;
create schema if not exists raw;
create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists build;
create schema if not exists history;
create schema if not exists marts;
create schema if not exists quality;
create schema if not exists ops;
create schema if not exists api;
create schema if not exists bi;

-- In PostgreSQL 'NaN' > 0 is true, so a naive gate lets it pass: the type itself refuses it.
create domain ops.amount as numeric
    check (value not in ('NaN'::numeric, 'Infinity'::numeric, '-Infinity'::numeric));
create domain ops.ratio as double precision
    check (value not in ('NaN'::float8, 'Infinity'::float8, '-Infinity'::float8));

-- exp(sum(ln(x))) fails on a total loss (1 + r = 0); a product does not.
create aggregate ops.product(double precision) (
    sfunc = float8mul, stype = double precision, initcond = '1', parallel = safe
);

-- registry: who holds what, where. Applications may write it themselves.
create table registry.users (
    user_id text primary key,
    created_at timestamptz not null default now()
);
create table registry.portfolios (
    id text primary key,
    user_id text not null references registry.users,
    name text not null,
    base_currency text not null,
    cost_basis text not null default 'FIFO' check (cost_basis in ('FIFO', 'LIFO', 'HIFO', 'ACB')),
    lot_scope text not null default 'account' check (lot_scope in ('account', 'portfolio')),
    cash text not null default 'ledger' check (cash in ('ledger', 'implicit')),
    allow_short boolean not null default false,
    benchmark text,
    risk_free_rate text not null default '0',
    is_active boolean not null default true,
    updated_at timestamptz not null default now()
);
create index on registry.portfolios (user_id);
create table registry.accounts (
    portfolio_id text not null references registry.portfolios,
    id text not null,
    kind text not null check (kind in ('wallet', 'exchange', 'broker', 'manual')),
    exchange text,
    broker text,
    credentials_env text,
    is_active boolean not null default true,
    primary key (portfolio_id, id)
);
create table registry.portfolio_wallets (
    id uuid primary key default gen_random_uuid(),
    user_id text not null references registry.users,
    portfolio_id text not null references registry.portfolios,
    account_id text,
    wallet_address text not null,
    wallet_name text,
    chain_id text not null,
    is_primary boolean not null default false,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (user_id, portfolio_id, wallet_address, chain_id)
);
create table registry.targets (
    portfolio_id text not null references registry.portfolios,
    instrument text not null,
    weight ops.ratio not null,
    primary key (portfolio_id, instrument)
);
create table registry.policies (
    portfolio_id text primary key references registry.portfolios,
    objective text not null,
    universe text[] not null,
    target ops.ratio,
    confidence ops.ratio,
    views jsonb not null default '[]',
    min_weight ops.ratio not null default 0,
    max_weight ops.ratio not null default 1,
    min_assets integer not null default 1,
    lookback_days integer not null default 365,
    expected_returns text not null default 'mean',
    covariance text not null default 'ledoit_wolf',
    group_limits jsonb not null default '[]',
    rebalance_band ops.ratio not null default 0.05
);
create table registry.instruments (
    instrument text primary key,
    name text,
    asset_class text,
    asset_type text,
    quote_currency text,
    chain text,
    address text,
    decimals integer,
    category text,
    protocol text,
    canonical_instrument text,
    yfinance_symbol text,
    ccxt_symbol text,
    annualization_days integer,
    max_price_age_days integer
);

-- raw: observations as received, append-only.
create table raw.batches (
    batch_id bigint generated always as identity primary key,
    kind text not null,
    source text not null,
    path text,
    content_hash text not null,
    row_count integer not null,
    quarantined_count integer not null default 0,
    status text not null check (status in ('accepted', 'rejected')),
    status_reason text,
    run_id text,
    received_at timestamptz not null default now(),
    unique (kind, source, path, content_hash)
);
-- The folder is a state: which batch of each path counts now. A vanished file leaves this table, its batch stays in raw.
create table ops.input_files (
    path text primary key,
    kind text not null,
    batch_id bigint not null references raw.batches
);
-- Files of the folder whose batch does not count, as the newest run found them.
create table ops.rejected_inputs (
    path text primary key,
    kind text not null,
    reason text not null
);
-- Batches whose suite has passed: one that a crashed run landed is still to be checked by the next.
create table ops.checked_batches (
    batch_id bigint primary key references raw.batches,
    checked_at timestamptz not null default now()
);
create table raw.transactions (
    batch_id bigint not null references raw.batches,
    line integer not null,
    transaction_id text not null,
    portfolio_id text not null,
    account_id text not null,
    executed_at timestamptz not null,
    is_date_only boolean not null,
    type text not null,
    instrument_id text not null,
    quantity ops.amount not null,
    price ops.amount,
    amount ops.amount,
    currency text,
    fx_rate ops.amount,
    cash_account text,
    fee ops.amount,
    fee_currency text,
    tax ops.amount,
    group_id text,
    external_id text,
    note text,
    primary key (batch_id, line)
);
create table raw.prices (
    batch_id bigint not null references raw.batches,
    line integer not null,
    instrument_id text not null,
    priced_at timestamptz not null,
    is_date_only boolean not null,
    price ops.amount not null check (price > 0),
    currency text not null,
    open ops.amount,
    high ops.amount,
    low ops.amount,
    volume ops.amount,
    source text,
    primary key (batch_id, line)
);
create index on raw.prices (instrument_id, priced_at);
create table raw.balances (
    batch_id bigint not null references raw.batches,
    line integer not null,
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    balance_at timestamptz not null,
    is_date_only boolean not null,
    quantity ops.amount not null,
    cost_base ops.amount,
    primary key (batch_id, line)
);
create table raw.corporate_actions (
    batch_id bigint not null references raw.batches,
    line integer not null,
    instrument_id text not null,
    ex_date date not null,
    kind text not null check (kind in ('split', 'dividend')),
    ratio ops.amount,
    amount ops.amount,
    currency text,
    primary key (batch_id, line)
);

-- quality: what was refused, and what each check said.
create table quality.quarantined_rows (
    quarantine_id bigint generated always as identity primary key,
    batch_id bigint references raw.batches,
    kind text not null,
    path text,
    line integer,
    instrument_id text,
    column_name text,
    value text,
    reason text not null,
    expectation text not null,
    row_text text,
    run_id text,
    quarantined_at timestamptz not null default now()
);
create table quality.check_results (
    result_id bigint generated always as identity primary key,
    run_id text not null,
    check_name text not null,
    portfolio_id text,
    instrument_id text,
    severity text not null check (severity in ('info', 'warn', 'error')),
    reach text not null check (reach in ('run', 'portfolio', 'none')),
    passed boolean not null,
    failed_rows bigint not null,
    threshold text,
    first_offenders text,
    next_step text,
    checked_at timestamptz not null default now()
);
create index on quality.check_results (run_id);

-- ops: runs, publications, audit.
create table ops.runs (
    run_id text primary key,
    inputs_path text,
    as_of timestamptz not null,
    cutoff_at timestamptz not null,       -- last instant that counts; midnight exactly closes the day before
    as_of_date date not null,             -- day of cutoff_at
    is_as_of_given boolean not null,
    inputs_fingerprint text,
    status text not null default 'running',
    summary jsonb,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
create table ops.publications (
    publication_id bigint primary key,
    run_id text not null references ops.runs,
    as_of timestamptz not null,
    inputs_fingerprint text not null,
    checks_passed integer not null,
    checks_warned integer not null,
    portfolios integer not null,
    held_portfolios integer not null,
    changed_rows bigint not null,
    table_rows text not null,
    published_at timestamptz not null default now()
);
-- What the run in progress works on: one run at a time (advisory lock), so one current row.
create table ops.current_run (
    singleton boolean primary key default true check (singleton),
    run_id text not null references ops.runs
);
create unlogged table ops.run_scope (
    portfolio_id text primary key,
    fingerprint text not null
);
-- the fingerprint each portfolio's published rows were made from
create table ops.portfolio_fingerprints (
    portfolio_id text primary key,
    fingerprint text not null,
    publication_id bigint not null
);
create unlogged table ops.held_portfolios (
    portfolio_id text primary key,
    check_name text not null,
    reason text not null
);

-- What the ledger (Python) hands to dbt, for the portfolios of this run's scope only.
create unlogged table intermediate.ledger_positions (
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    valid_from date not null,
    valid_to date,                        -- exclusive; null = still so at the as-of date
    quantity ops.amount not null,         -- at the close of each day in [valid_from, valid_to)
    quantity_at_cost_fx ops.amount,       -- sum over lots of quantity x (quote -> base rate at acquisition); null = unknown
    cost_base ops.amount,                 -- sum over lots of cost in base currency; null = unknown
    flow_basis text not null default 'ledger' check (flow_basis in ('ledger', 'observed'))
);
-- the valuation goes portfolio by portfolio
create index on intermediate.ledger_positions (portfolio_id);
create unlogged table intermediate.ledger_entries (
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    transaction_id text,
    entry_date date not null,
    measure text not null,
    amount_base ops.amount not null
);
create unlogged table intermediate.ledger_flows (
    flow_id text not null,
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    flowed_at timestamptz not null,
    flow_date date not null,
    amount_base ops.amount,               -- null: no price or no rate at that moment
    kind text not null,
    source_transaction text
);
create unlogged table intermediate.ledger_lots (
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    lot_id text not null,
    acquired_at timestamptz not null,
    quantity ops.amount not null,
    unit_cost ops.amount,
    cost_base ops.amount,
    acquisition_fx ops.amount,
    source_transaction text,
    is_missing_acquisition boolean not null
);
create unlogged table intermediate.ledger_disposals (
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    disposal_id text not null,
    lot_id text not null,
    disposed_at timestamptz not null,
    disposal_date date not null,
    acquired_at timestamptz,
    quantity ops.amount not null,
    proceeds_base ops.amount,
    cost_base ops.amount,
    fee_base ops.amount,
    gain_base ops.amount,
    gain_currency_base ops.amount,
    holding_days integer,
    method text not null,
    is_missing_acquisition boolean not null,
    source_transaction text
);
create unlogged table intermediate.ledger_income (
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    income_id text not null,
    received_at timestamptz not null,
    received_date date not null,
    kind text not null,
    quantity ops.amount not null,
    amount_base ops.amount,
    tax_base ops.amount,
    source_transaction text
);
create unlogged table intermediate.ledger_transactions (
    transaction_id text not null,
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    executed_at timestamptz not null,
    executed_date date not null,
    type text not null,
    quantity ops.amount not null,
    amount_base ops.amount,
    fee_base ops.amount,
    tax_base ops.amount,
    group_id text,
    source_batch bigint
);
create unlogged table intermediate.ledger_issues (
    portfolio_id text not null,
    account_id text,
    instrument_id text,
    transaction_id text,
    code text not null,
    severity text not null check (severity in ('warn', 'hold')),
    message text not null,
    at timestamptz
);

-- What the measures and the optimiser (Python) hand to dbt, this run's scope only.
create unlogged table intermediate.performance (
    portfolio_id text not null,
    period_type text not null,
    period_start date,
    period_end date,
    start_value_base ops.amount, end_value_base ops.amount,
    start_value_usd ops.amount, end_value_usd ops.amount,
    absolute_gain_base ops.amount, absolute_gain_usd ops.amount,
    percentage_gain ops.ratio,
    twr ops.ratio, twr_annualized ops.ratio, mwr ops.ratio, simple_return ops.ratio,
    realized_pnl_base ops.amount, realized_pnl_usd ops.amount,
    unrealized_pnl_base ops.amount, unrealized_pnl_usd ops.amount,
    income_base ops.amount, income_usd ops.amount,
    fees_base ops.amount, fees_usd ops.amount,
    taxes_base ops.amount, taxes_usd ops.amount,
    currency_effect_base ops.amount, currency_effect_usd ops.amount,
    net_flows_base ops.amount, net_flows_usd ops.amount,
    mwr_flag text, flow_basis text,
    volatility ops.ratio, sharpe_ratio ops.ratio, sortino_ratio ops.ratio, calmar_ratio ops.ratio,
    max_drawdown ops.ratio, drawdown_days integer,
    annualization_days integer, risk_free_rate ops.ratio,
    undefined_reason text
);
create unlogged table intermediate.optimization_runs (
    run_id text not null,
    portfolio_id text not null,
    objective text not null,
    status text not null,                 -- optimal | fallback | failed | skipped
    solver text,
    fallback_reason text,
    kkt_residual ops.ratio,
    expected_return ops.ratio,
    volatility ops.ratio,
    sharpe_ratio ops.ratio,
    sharpe_low ops.ratio,
    sharpe_high ops.ratio,
    inputs_version text,
    observations integer,
    condition_number ops.ratio,           -- of the covariance that was used
    smallest_eigenvalue ops.ratio,
    notes text,                           -- instruments left out, repairs made
    duration_ms integer
);
create unlogged table intermediate.target_weights (
    run_id text not null,
    portfolio_id text not null,
    instrument_id text not null,
    weight ops.ratio not null,
    previous_weight ops.ratio,
    lower ops.ratio not null,
    upper ops.ratio not null,
    is_binding boolean not null
);
create unlogged table intermediate.efficient_frontier (
    run_id text not null,
    portfolio_id text not null,
    point integer not null,
    expected_return ops.ratio not null,
    volatility ops.ratio not null,
    sharpe_ratio ops.ratio
);
create unlogged table intermediate.rebalancing_suggestions (
    portfolio_id text not null,
    instrument_id text not null,
    action text not null check (action in ('buy', 'sell', 'hold')),
    quantity ops.amount,
    value_usd ops.amount,
    current_weight ops.ratio,
    target_weight ops.ratio,
    estimated_cost_usd ops.amount,
    reason text not null
);
