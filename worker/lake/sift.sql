-- Which movements of one bucket trivially agree, and the sums of those that do.
--
-- A movement is clear when it is one of exactly two that bear its class and name: one of ours, one of the provider's,
-- with the same payment, currency and amount, both dated where both books must know it. Everything else is aside, and
-- the rules (worker/domain/matching) say what it is. Clearing must never be more generous than the rules are:
-- tests/unit/test_lake_sifting.py holds both against each other.
create or replace temp table pair as
select
    class,
    name,
    count(*) filter (where side = 'ours') = 1
        and count(*) filter (where side = 'theirs') = 1
        and sum(case side when 'ours' then amount_minor else -amount_minor end) = 0
        and min(currency) = max(currency)
        and min(payment) = max(payment)
        and min(payment) <> ''
        and min(moved_at) >= $horizon
        and max(moved_at) < $cut
        and bool_and(plain)
        as clear
from (
    select 'ours' as side, {entry_class} as class, {entry_name} as name, amount_minor, currency,
        payment_reference as payment, occurred_at as moved_at,
        case kind when 'capture' then amount_minor > 0 else amount_minor < 0 end as plain
    from entry
    union all
    select 'theirs', class, name, gross_minor, currency, payment_reference, created_at, plain
    from line
    where class in ('capture', 'refund')
)
group by class, name;

create or replace temp table aside_entry as
select entry.*
from entry join pair on pair.class = {entry_class} and pair.name = {entry_name}
where not pair.clear;

-- Lines of money that no order explains are always aside; fees, payouts and transfers only where they stand twice, or
-- may be another shop's.
create or replace temp table aside_line as
select line.* exclude (class, name, plain)
from line left join pair on pair.class = line.class and pair.name = line.name
where case
    when line.class in ('capture', 'refund') then not pair.clear
    when line.class in ('dispute', 'loose') then true
    else not line.own or line.line_id in (select line_id from repeated)
end;
