"""What was known at a moment: for each mart a function that gives the rows of the publication current then.

Belongs here: `marts.<mart>_as_known_at(as_known_at timestamptz)` and the view under it. Must not be here: the marts'
own tables and views (tables), who may read (assets/warehouse/roles).

Readers have no right on schema history. The function reads the view `history.<mart>_versions`, on which they have one,
by a body that was resolved when it was made: so they reach the view through the function alone, and PostgreSQL puts
the function's query into theirs, with their filters on its indexes. Measured on 210,000 versions of 500 portfolios: one
portfolio's 400 days take 2 ms; by a function with its owner's rights, which is run to its end first, 87 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from assets.publication.mart_specs import MartSpec


def as_known_at(spec: MartSpec, columns: Sequence[str]) -> list[sql.Composed]:
    """The statements that create or replace the mart's view of versions and its function.

    The function returns `setof marts.<mart>`: a column added to the mart's view is a column of the function at once,
    without dropping what people built on either. They need the mart's view and marts.publications.

    Args:
        spec: The mart.
        columns: Columns of the mart's view, in its order.
    """
    view, function = sql.Identifier("history", f"{spec.name}_versions"), sql.Identifier("marts", name_of(spec))
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    comment = (
        f"The rows of marts.{spec.name} as readers saw them at as_known_at: those of the last publication with "
        f"published_at at or before it; none before the first publication. Key: {', '.join(spec.key)}."
    )
    return [
        # a view may only append: the mart's columns stand last
        sql.SQL("create or replace view {} as select published_from, published_to, {} from {}{}").format(
            view, names, sql.Identifier("history", spec.name), _earlier(spec, columns)
        ),
        sql.SQL("comment on view {} is {}").format(
            view, sql.Literal(f"Every published version of marts.{spec.name}, read by marts.{name_of(spec)}.")
        ),
        sql.SQL(
            "create or replace function {}(as_known_at timestamptz) returns setof {} language sql stable"
            " begin atomic"
            " select {} from {} where published_from <= ({moment})"
            " and (published_to is null or published_to > ({moment})); end"
        ).format(
            function,
            sql.Identifier("marts", spec.name),
            names,
            view,
            moment=sql.SQL("select max(publication_id) from marts.publications where published_at <= as_known_at"),
        ),
        sql.SQL("comment on function {}(timestamptz) is {}").format(function, sql.Literal(comment)),
    ]


def _earlier(spec: MartSpec, columns: Sequence[str]) -> sql.Composable:
    """The versions that are packed, to be added to those that are rows; of the partitioned mart all are rows."""
    if spec.partition_by_month:
        return sql.SQL("")
    packed = ["published_from", *(name for name in columns if name != spec.key[0])]
    unpacked = (sql.Identifier("packed" if name == spec.key[0] else "version", name) for name in columns)
    return sql.SQL(
        " union all select version.published_from, packed.published_to, {} from {} as packed"
        " cross join lateral unnest({}) as version ({})"
    ).format(
        sql.SQL(", ").join(unpacked),
        sql.Identifier("history", f"{spec.name}_earlier"),
        sql.SQL(", ").join(sql.Identifier("packed", name) for name in packed),
        sql.SQL(", ").join(map(sql.Identifier, packed)),
    )


def name_of(spec: MartSpec) -> str:
    """Name of the mart's function, within schema marts."""
    return f"{spec.name}_as_known_at"
