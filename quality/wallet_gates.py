"""What chains said of wallets: the stage wallets. Nothing here holds anything back: a dead chain never stops a run."""

from __future__ import annotations

from quality.gate import Gate

WALLET_GATES: tuple[Gate, ...] = (
    Gate(
        name="chains_unread",
        stage="wallets",
        reach="none",
        severity="warn",
        threshold="0 chains",
        description="Each chain of the wallets answered when it was asked last.",
        next_step="Give it endpoints of your own (HOLDFAST_RPC_<CHAIN>); its last good balances count, marked stale.",
        offenders="""
            select null, null, last.chain || ': ' || last.failure
            from (select distinct chain from staging.stg_wallets) as asked
            cross join lateral (
                select reads.chain, reads.failure from staging.stg_chain_reads as reads
                where reads.chain = asked.chain order by reads.read_id desc limit 1) as last
            where last.failure is not null order by last.chain""",
    ),
    Gate(
        name="balances_unread",
        stage="wallets",
        reach="none",
        severity="warn",
        threshold="0 balances",
        description="On chains that answered, each asset that is held or was named could be read.",
        next_step="Read the reason; a token that answers nonsense can be left alone: its last good balance counts.",
        offenders="""
            select cells.portfolio_id, cells.instrument_id, cells.chain || ': ' || coalesce(cells.reason, cells.status)
            from intermediate.int_wallet_cells as cells
            where cells.status not in ('ok', 'zero')
              and not exists (
                  select from staging.stg_chain_reads as last
                  where last.chain = cells.chain and last.failure is not null
                    and last.read_id = (select max(reads.read_id) from staging.stg_chain_reads as reads
                                        where reads.chain = cells.chain))
            order by cells.portfolio_id, cells.instrument_id""",
    ),
    Gate(
        name="logs_unread",
        stage="wallets",
        reach="none",
        severity="info",
        threshold="0 chains",
        description="The transfers of wallets are known up to the block of their balances.",
        next_step="Give it an endpoint that allows eth_getLogs (HOLDFAST_RPC_<CHAIN>); reading goes on from there.",
        offenders="""
            select distinct null, null, logs.chain || ': ' || logs.failure
            from ops.wallet_logs as logs
            inner join staging.stg_wallets as wallets on logs.chain = wallets.chain and logs.wallet = wallets.wallet
            where logs.failure is not null order by 3""",
    ),
    Gate(
        name="tokens_quarantined",
        stage="wallets",
        reach="none",
        severity="info",
        threshold="0 cells",
        description="No token that was looked for answers what no balance may be.",
        next_step="Nothing: what nobody is known to hold is left out, and asked again in its turn.",
        offenders="""
            select null, null, last.chain || ': ' || last.cells_quarantined || ' cells in quarantine'
            from (select distinct chain from staging.stg_wallets) as asked
            cross join lateral (
                select reads.chain, reads.cells_quarantined from staging.stg_chain_reads as reads
                where reads.chain = asked.chain order by reads.read_id desc limit 1) as last
            where last.cells_quarantined > 0 order by last.chain""",
    ),
    Gate(
        name="chain_reorganised",
        stage="wallets",
        reach="none",
        severity="warn",
        threshold="0 chains",
        description="The block of each chain's last read is still on the chain.",
        next_step="Nothing: all was read again at a block that stands; what rested on the old one is undone.",
        offenders="""
            select null, null, last.chain || ': a block of the read before is gone'
            from (select distinct chain from staging.stg_wallets) as asked
            cross join lateral (
                select reads.chain, reads.is_reorganised from staging.stg_chain_reads as reads
                where reads.chain = asked.chain order by reads.read_id desc limit 1) as last
            where last.is_reorganised order by last.chain""",
    ),
)
