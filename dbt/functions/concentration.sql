{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

-- Who made none of what is measured is not counted in n.
holders as (
    {{ holders_of('days') }}
),

ranked as (
    select
        amount,
        row_number() over (order by amount, holder) as ascending_rank,
        sum(amount) over () as total,
        sum(amount) over (
            order by amount desc, holder asc rows between unbounded preceding and current row
        ) - amount as made_by_those_with_more
    from holders
)

select
    count(*) as holders,
    cast(coalesce(sum(amount), 0) as bigint) as total,
    cast({{ calculate_absence_factor('made_by_those_with_more', 'total') }} as bigint) as absence_factor,
    {{ calculate_gini_coefficient('amount', 'ascending_rank') }} as gini_coefficient,
    cast(
        {{ calculate_gini_coefficient('amount', 'ascending_rank') }} * count(*) / nullif(count(*) - 1, 0)
        as numeric(7, 6)
    ) as corrected_gini_coefficient,
    {{ calculate_share('max(amount)', 'sum(amount)') }} as largest_share
from ranked
