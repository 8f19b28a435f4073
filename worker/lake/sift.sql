-- Which movements of one bucket do not trivially agree.
--
-- A movement is clear when it is one of exactly two that bear its class and name: one of ours, one of the provider's,
-- with the same payment, currency and amount, both dated where both books must know it. Everything else is aside, and
-- the rules (worker/domain/matching) say what it is. Clearing must never be more generous than the rules are:
-- tests/unit/test_lake_sifting.py holds both against each other.
--
-- Class and name go by their hash, which groups several times as fast as texts do. Two names of one hash are a group of
-- more than two, or of two whose payments differ unless theirs are one, too: they are aside, and the rules are exact.
create or replace temp table aside_name as
select name
from (
    select 1 as ours, {entry_key} as name, amount_minor, hash(currency, payment_reference) as agreement,
        payment_reference <> '' and occurred_at >= $horizon and occurred_at < $cut
            and case kind when 'capture' then amount_minor > 0 else amount_minor < 0 end as plain
    from entry
    union all
    select 0, {line_key}, -gross_minor, hash(currency, payment_reference),
        payment_reference <> '' and created_at >= $horizon and created_at < $cut and plain
    from line
    where class in ('capture', 'refund')
)
group by name
having not (count(*) = 2 and sum(ours) = 1 and sum(amount_minor) = 0 and bit_xor(agreement) = 0 and bool_and(plain));

create or replace temp table aside_entry as
select entry.* from entry semi join aside_name on aside_name.name = {entry_key};

-- Lines of money that no order explains are always aside; fees, payouts and transfers only where they stand twice, or
-- may be another shop's.
create or replace temp table aside_line as
select line.* exclude (class, plain, own)
from line left join aside_name on aside_name.name = {line_key}
where case when class in ('capture', 'refund') then aside_name.name is not null
    when class = 'other' then not own or {repeated} else true end;
