-- Which movements of one bucket do not trivially agree.
--
-- A movement is clear when it is one of exactly two that bear its class and name: one of ours, one of the provider's,
-- with the same payment, currency and amount, both dated where both books must know it. So is a capture of which the
-- provider booked the whole and the reversal of the rest, on one side of the window's start. Everything else is aside, and
-- the rules (worker/domain/matching) say what it is. Clearing must never be more generous than the rules are:
-- tests/unit/test_lake_sifting.py holds both against each other.
--
-- Class and name go by their hash, which groups several times as fast as texts do. Two names of one hash are a group of
-- more than two, or of two whose payments differ unless theirs are one, too: they are aside, and the rules are exact.
--
-- `marks` adds up what a row is, in one sum instead of five, which the grouping takes most of its time for: 1 one of
-- ours, 4 a reversal, 16 one from before the window, 64 one that may not be cleared. Three rows are too few to fill what
-- lies between two of these.
--
-- The names are grouped from a table: from the files themselves it takes half as long again, since the engine knows
-- nothing of numbers that it has not seen yet.
create or replace temp table moved as
select {entry_key} as name, amount_minor, hash(currency, payment_reference) as agreement,
    case when payment_reference <> '' and occurred_at >= $horizon and occurred_at < $cut
            and case kind when 'capture' then amount_minor > 0 else amount_minor < 0 end
        then case when occurred_at < $window_start then 17 else 1 end
        else 64 end::bigint as marks
from entry
union all
select {line_key}, -gross_minor, hash(currency, payment_reference),
    case when payment_reference <> '' and created_at >= $horizon and created_at < $cut and plain
        then case kind when 'partial_capture_reversal' then 4 else 0 end
            + case when created_at < $window_start then 16 else 0 end
        else 64 end::bigint
from line
where class in ('capture', 'refund');

create or replace temp table aside_name as
select name
from moved
group by name
having not (
    sum(amount_minor) = 0
    and min(agreement) = max(agreement)
    and case count(*)
        when 2 then sum(marks) in (1, 1 + 16, 1 + 2 * 16)
        when 3 then sum(marks) in (1 + 4, 1 + 4 + 3 * 16)
        else false
    end
);

drop table moved;

create or replace temp table aside_entry as
select entry.* from entry semi join aside_name on aside_name.name = {entry_key};

-- Lines of money that no order explains are always aside; fees, payouts and transfers only where they stand twice, or
-- may be another shop's.
create or replace temp table aside_line as
select line.* exclude (class, plain, own)
from line left join aside_name on aside_name.name = {line_key}
where case when class in ('capture', 'refund') then aside_name.name is not null
    when class = 'other' then not own or {repeated} else true end;
