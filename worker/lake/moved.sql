-- What agree.sql asks of every movement that is judged, once for all its parts: to take it from the judged rows part by part
-- would mean to read all of them as often as there are parts, and of ten times the rows there are ten times the parts.
create or replace temp table moved as
select
    hash(key) as part, key, {entry_class} as class, payment_reference as payment, amount_minor as ours, 0 as theirs, currency,
    occurred_at as moved_at, true as plain, hash(kind, reference) as record, null as object, 1 as booked
from judged_entry
union all
select
    hash(key), key, {line_class}, {payment_of_line}, 0, gross_minor, currency,
    created_at, customer_currency in ('', currency) or customer_minor = 0, hash(line_id, kind),
    hash(kind, case when source_id in ('', payment_reference) then line_id else source_id end), 0
from judged_line
where key not like 'line/%';
