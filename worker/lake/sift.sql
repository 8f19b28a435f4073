-- Which movements of one bucket do not trivially agree.
--
-- A movement is clear when it is one of exactly two that bear its class and name: one of ours, one of the provider's,
-- with the same payment, currency and amount, both dated where both books must know it. So is a capture of which the
-- provider booked the whole and the reversal of the rest, on one side of the window's start. Everything else is aside, and
-- the rules (worker/domain/matching) say what it is. Clearing must never be more generous than the rules are:
-- tests/unit/test_lake_sifting.py holds both against each other.
--
-- Each side is read once for this, into a few numbers a movement; what is aside is then taken from the files by where it
-- stands in them, which costs a third of looking for its texts.
--
-- Class and name go by their hash, which groups several times as fast as texts do; a payment is hashed once for its name
-- and for what must agree. Two names of one hash are a group of more than two, or of two whose payments differ unless
-- theirs are one, too: they are aside, and the rules are exact.
--
-- `marks` adds up what a row is, in one sum instead of five, which the grouping takes most of its time for: 1 one of
-- ours, 4 a reversal, 16 one from before the window, 64 one that may not be cleared. Three rows are too few to fill what
-- lies between two of these.
--
-- The names are grouped from a table: from the files themselves it takes half as long again, and from two tables twice as
-- long, since the engine knows nothing of numbers that it has not seen yet, or not all of them.
--
-- Without a name: what is aside whatever else there is. Lines of money that no order explains always are; fees, payouts
-- and transfers only where they stand twice, or may be another shop's.
create or replace temp table moved as
select
    {entry_key} as name,
    amount_minor,
    hash(currency, payment) as agreement,
    case when payment_reference <> '' and occurred_at >= $horizon and occurred_at < $cut
            and case kind when 'capture' then amount_minor > 0 else amount_minor < 0 end
        then case when occurred_at < $window_start then 17 else 1 end
        else 64 end::bigint as marks,
    true as ours,
    {place}
from (select *, hash(payment_reference) as payment, {place} from {entries})
union all
select
    case when class in ('capture', 'refund') then {line_key} end,
    -gross_minor,
    hash(currency, payment) as agreement,
    case when payment_reference <> '' and created_at >= $horizon and created_at < $cut and {plain}
        then case kind when 'partial_capture_reversal' then 4 else 0 end
            + case when created_at < $window_start then 16 else 0 end
        else 64 end::bigint as marks,
    false,
    {place}
from (select *, {line_class} as class, hash(payment_reference) as payment, {place} from {lines})
where class <> 'other' or shop not in ('', {shop}) or {repeated};

create or replace temp table aside_name as
select name
from moved
where name is not null
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

create or replace temp table aside as
select ours, {place} from moved where name is null or name in (select name from aside_name);

drop table moved;

copy (
    select * from {entries} semi join (from aside where ours) using ({place})
) to {aside_entries} (format parquet);

copy (
    select * from {lines} semi join (from aside where not ours) using ({place})
) to {aside_lines} (format parquet);
