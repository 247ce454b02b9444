{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

holders as (
    {{ holders_of('days') }}
),

ranked as (
    select
        row_number() over (order by amount, holder) as place,
        count(*) over () as places,
        sum(amount) over (order by amount, holder rows between unbounded preceding and current row) as amount,
        sum(amount) over () as total
    from holders
)

-- Of n places those where place * points / n passes a whole number: as many as points, the last always among them.
select
    ranked.place as holders,
    {{ calculate_share('ranked.place', 'ranked.places') }} as holder_share,
    cast(ranked.amount as bigint) as amount,
    {{ calculate_share('ranked.amount', 'ranked.total') }} as amount_share
from ranked
where
    ranked.place * greatest({{ given('points') }}, 1) / ranked.places
    > (ranked.place - 1) * greatest({{ given('points') }}, 1) / ranked.places
order by ranked.place
