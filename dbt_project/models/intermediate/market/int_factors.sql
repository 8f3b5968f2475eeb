-- What portfolios are set against: a reviewed list, of each factor the first instrument that has prices.
select factor, preference, instrument_id
from (
    values
    ('bonds', 1, 'etf:AGG'),
    ('bonds', 2, 'etf:IEF'),
    ('crypto_market', 1, 'crypto:BTC'),
    ('dollar', 1, 'index:DXY'),
    ('dollar', 2, 'etf:UUP'),
    ('equity_market', 1, 'etf:SPY'),
    ('equity_market', 2, 'index:SPX'),
    ('gold', 1, 'commodity:XAU'),
    ('gold', 2, 'etf:GLD'),
    ('oil', 1, 'etf:USO')
) as reviewed (factor, preference, instrument_id)
