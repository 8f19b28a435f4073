-- Keys whose movements agree as a whole, though they are no simple pairs: a capture and the reversal of its uncaptured
-- rest, a refund that failed, a dispute that was won, two refunds that are one in our books, a payment that was charged
-- and given back whole outside our books (`void`, as `set_voids_aside` has it: how a double charge is put right).
--
-- A key is clear when the rules could have nothing to say of it but that: one currency, nothing twice, every movement
-- where both books must know it, captures equal payment by payment, refunds equal in all, disputes too, no more evidence
-- than a finding shows, and no difference brought along from before the window. Never more generous than the rules are:
-- tests/unit/test_lake_sifting.py holds both against each other. Suspects are left to the rules whatever they are.
--
-- Asked for a part of the keys at a time (moved.sql): what is held of every key does not spill.
insert into agreed
with movement as (from {moved}),
paid as (
    select
        key, payment,
        sum(case class when 'capture' then ours else 0 end) as captured,
        sum(case class when 'capture' then theirs else 0 end) as charged,
        sum(case class when 'refund' then ours - theirs else 0 end) as refunded,
        sum(case class when 'dispute' then ours - theirs else 0 end) as disputed,
        sum(case when moved_at < $window_start then ours - theirs else 0 end) as brought,
        charged > 0 and sum(theirs) = 0 and sum(booked) = 0 and bool_and(class <> 'dispute') as void,
        -- Beside a void every payment of ours must be one of theirs: by how many theirs are more says which are voids.
        captured > 0 or not bool_or(booked = 1 and class = 'capture') as counted,
        min(currency) as first_currency, max(currency) as last_currency, bool_and(plain) as plain,
        min(moved_at) as first_at, max(moved_at) as last_at, sum(booked) as booked, count(*) as moved
    from movement
    group by key, payment
),
-- Each asked for by itself: to count what differs of every key takes as long as all the rest.
twice as (select distinct key from movement group by key, record having count(*) > 1),
alike as (select distinct key from movement where object is not null group by key, object having count(*) > 1)
select key
from paid
anti join suspect using (key)
anti join twice using (key)
group by key
having min(first_currency) = max(last_currency)
    and bool_and(plain)
    and min(first_at) >= $horizon
    and max(last_at) < $cut
    and sum(booked) <= {most_facts}
    and sum(moved) - sum(booked) <= {most_facts}
    and bool_and(captured = charged or void)
    -- Where they charged more than we booked, two lines of one object are one that stands twice.
    and (not bool_or(void) or (bool_and(counted) and key not in (select key from alike)))
    and sum(case when void then 0 else refunded end) = 0
    and sum(disputed) = 0
    and sum(brought) = 0;
