-- Which movements of one bucket do not trivially agree.
--
-- A movement is clear when it is one of exactly two that bear its class and name: one of ours, one of the provider's,
-- with the same payment, currency and amount, both dated where both books must know it. Everything else is aside, and
-- the rules (worker/domain/matching) say what it is. Clearing must never be more generous than the rules are:
-- tests/unit/test_lake_sifting.py holds both against each other.
create or replace temp table aside_name as
select class, name
from (
    select 1 as ours, {entry_class} as class, {entry_name} as name, amount_minor, hash(currency) as currency,
        hash(payment_reference) as payment, payment_reference <> '' as named, occurred_at as moved_at,
        case kind when 'capture' then amount_minor > 0 else amount_minor < 0 end as plain
    from entry
    union all
    select 0, class, name, -gross_minor, hash(currency), hash(payment_reference), payment_reference <> '', created_at,
        plain
    from line
    where class in ('capture', 'refund')
)
group by class, name
having not (
    count(*) = 2
    and sum(ours) = 1
    and sum(amount_minor) = 0
    -- Hashes of two values that are compared with each other: they take no room, and are not confused by chance.
    and min(currency) = max(currency)
    and min(payment) = max(payment)
    and bool_and(named and plain)
    and min(moved_at) >= $horizon
    and max(moved_at) < $cut
);

create or replace temp table aside_entry as
select entry.* from entry semi join aside_name on aside_name.class = {entry_class} and aside_name.name = {entry_name};

-- Lines of money that no order explains are always aside; fees, payouts and transfers only where they stand twice, or
-- may be another shop's.
create or replace temp table aside_line as
select * exclude (class, name, plain, own) from line
where class in ('dispute', 'loose')
    or (class = 'other' and (not own or line_id in (select line_id from repeated)))
union all
select line.* exclude (class, name, plain, own)
from line semi join aside_name on aside_name.class = line.class and aside_name.name = line.name
where line.class in ('capture', 'refund');
