-- The tax view: realised gains by year of disposal, summed from published rows when read, so that they tie to them.

create or replace view marts.gains_by_year as
select
    gains.portfolio_id,
    gains.user_id,
    extract(year from gains.disposal_date)::integer as disposal_year,
    gains.holding_period,
    gains.instrument_id,
    instruments.asset_class,
    portfolios.base_currency,
    count(distinct gains.disposal_id) as disposals,
    sum(gains.quantity) as quantity,
    sum(gains.proceeds_base) as proceeds_base,
    sum(gains.cost_base) as cost_base,
    sum(gains.fee_base) as fee_base,
    sum(gains.gain_base) as gain_base,
    sum(greatest(gains.gain_base::numeric, 0)) filter (where gains.gain_base is not null) as profit_base,
    sum(least(gains.gain_base::numeric, 0)) filter (where gains.gain_base is not null) as loss_base,
    sum(gains.gain_currency_base) as gain_currency_base,
    count(*) filter (where gains.is_missing_acquisition) as missing_acquisitions,
    count(*) filter (where gains.gain_base is null) as unknown_gains
from marts.realized_gains as gains
left join marts.portfolios as portfolios on gains.portfolio_id = portfolios.portfolio_id
left join marts.instruments as instruments on gains.instrument_id = instruments.instrument_id
group by
    gains.portfolio_id, gains.user_id, extract(year from gains.disposal_date), gains.holding_period,
    gains.instrument_id, instruments.asset_class, portfolios.base_currency;
comment on view marts.gains_by_year is
'Realised gains by year of disposal (UTC), holding period and instrument: the sums of realized_gains. holding_period is '
'long when a lot was disposed of later than the calendar anniversary of its acquisition (more than one year, counted '
'from the day after the acquisition), short up to it and for sales of what was not held, unknown under ACB and for '
'missing acquisitions. The calendar alone: no rule of any country on wash sales, gifts or allowances. '
'Key: portfolio_id, disposal_year, holding_period, instrument_id.';
comment on column marts.gains_by_year.portfolio_id is 'Portfolio, as in portfolios.yaml.';
comment on column marts.gains_by_year.user_id is 'Owner of the portfolio.';
comment on column marts.gains_by_year.disposal_year is 'Calendar year of the disposal, by its UTC day.';
comment on column marts.gains_by_year.holding_period is 'short, long or unknown.';
comment on column marts.gains_by_year.instrument_id is 'Instrument, by its readable id.';
comment on column marts.gains_by_year.asset_class is 'Asset class of the instrument.';
comment on column marts.gains_by_year.base_currency is 'Currency of the *_base columns.';
comment on column marts.gains_by_year.disposals is 'Disposals; one whose lots are partly short and partly long counts in both rows.';
comment on column marts.gains_by_year.quantity is 'Units disposed of.';
comment on column marts.gains_by_year.proceeds_base is 'Proceeds before fee_base, as far as they are known; NULL: none is.';
comment on column marts.gains_by_year.cost_base is 'Cost of the lots, as far as it is known; 0 for a missing acquisition.';
comment on column marts.gains_by_year.fee_base is 'Fees of the disposals.';
comment on column marts.gains_by_year.gain_base is 'proceeds - fee - cost of the rows whose gain is known (unknown_gains counts the others); profit_base + loss_base.';
comment on column marts.gains_by_year.profit_base is 'Sum of the gains above zero, >= 0.';
comment on column marts.gains_by_year.loss_base is 'Sum of the gains below zero, <= 0.';
comment on column marts.gains_by_year.gain_currency_base is 'Part of gain_base that exchange rates made.';
comment on column marts.gains_by_year.missing_acquisitions is 'Rows of realized_gains that sold more than was ever acquired: their whole proceeds are gain.';
comment on column marts.gains_by_year.unknown_gains is 'Rows of realized_gains without a gain, as a price or rate was missing; no sum has them.';
