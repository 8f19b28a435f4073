-- Keys whose movements agree as a whole, though they are no simple pairs: a capture and the reversal of its uncaptured
-- rest, a refund that failed, a dispute that was won, two refunds that are one in our books.
--
-- A key is clear when the rules could have nothing to say of it: one currency, nothing twice, every movement where
-- both books must know it, captures equal payment by payment, refunds equal in all, disputes too, no more evidence
-- than a finding shows, and no difference brought along from before the window. Never more generous than the rules are:
-- tests/unit/test_lake_sifting.py holds both against each other. Suspects are left to the rules whatever they are.
create or replace temp table agreed as
with movement as (
    select
        key, {entry_class} as class, payment_reference as payment, amount_minor as ours, 0 as theirs, currency,
        occurred_at as moved_at, true as plain, hash(kind, reference) as record, 1 as booked
    from judged_entry
    union all
    select
        key, {line_class}, {payment_of_line}, 0, gross_minor, currency,
        created_at, customer_currency in ('', currency) or customer_minor = 0, hash(line_id, kind), 0
    from judged_line
    where key like 'order/%'
),
apart as (
    select key from movement where class = 'capture' group by key, payment
    having sum(ours) <> sum(theirs)
)
select key
from movement
anti join apart on apart.key = movement.key
anti join suspect on suspect.key = movement.key
group by key
having min(currency) = max(currency)
    and bool_and(plain)
    and min(moved_at) >= $horizon
    and max(moved_at) < $cut
    and count(*) = count(distinct record)
    and sum(booked) <= {most_facts}
    and count(*) - sum(booked) <= {most_facts}
    and sum(case class when 'refund' then ours - theirs else 0 end) = 0
    and sum(case class when 'dispute' then ours - theirs else 0 end) = 0
    and sum(case when moved_at < $window_start then ours - theirs else 0 end) = 0;
