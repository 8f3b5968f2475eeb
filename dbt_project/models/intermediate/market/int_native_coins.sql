-- The economic coin behind a chain's native asset, reviewed by hand: ether on Ethereum and on its rollups.
-- Chain ids: https://chainlist.org; each listed chain's documentation names ETH as the gas coin.
select
    native.chain_caip2 || '/slip44:60' as instrument_id,
    native.chain,
    native.symbol,
    native.canonical_instrument
from (
    values
    ('eip155:1', 'ethereum', 'ETH', 'crypto:ETH'),
    ('eip155:10', 'optimism', 'ETH', 'crypto:ETH'),
    ('eip155:56', 'bsc', 'BNB', 'crypto:BNB'),
    ('eip155:324', 'zk-sync', 'ETH', 'crypto:ETH'),
    ('eip155:8453', 'base', 'ETH', 'crypto:ETH'),
    ('eip155:42161', 'arbitrum', 'ETH', 'crypto:ETH'),
    ('eip155:59144', 'linea', 'ETH', 'crypto:ETH'),
    ('eip155:534352', 'scroll', 'ETH', 'crypto:ETH')
) as native (chain_caip2, chain, symbol, canonical_instrument)
