-- What agree.sql asks of the movements that are judged, in a file for each part of their keys: to take it from the judged rows
-- part by part would be to read all of them as often as there are parts, and of ten times the rows there are ten times the parts.
copy (
    select
        hash(key) % {parts} as part, key, {entry_class} as class, payment_reference as payment,
        amount_minor as ours, 0 as theirs, currency, occurred_at as moved_at, true as plain,
        hash(kind, reference) as record, null::ubigint as object, 1 as booked
    from judged_entry
    union all
    select
        hash(key) % {parts}, key, {line_class}, {payment_of_line}, 0, gross_minor, currency,
        created_at, customer_currency in ('', currency) or customer_minor = 0, hash(line_id, kind),
        hash(kind, case when source_id in ('', payment_reference) then line_id else source_id end), 0
    from judged_line
    where key not like 'line/%'
) to {folder} (format parquet, partition_by (part));
