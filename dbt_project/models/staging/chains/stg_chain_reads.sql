-- Reads of chains up to the run's cut-off whose block is still on its chain; a failed read gave no balance.
select
    reads.read_id,
    reads.run_id,
    reads.chain,
    reads.asked_at,
    reads.counts_at,
    reads.block_number,
    reads.block_hash,
    reads.failure is not null as is_failed,
    reads.endpoint,
    reads.cells_failed,
    reads.cells_quarantined,
    reads.is_reorganised,
    reads.failure,
    reads.problems
from {{ source('raw', 'chain_reads') }} as reads
where reads.superseded_by is null and reads.counts_at <= {{ run_cutoff_at() }}
