-- All movements of every key of which something is aside: what was set aside, and what was cleared too early because
-- only its neighbours differ.
--
-- Whose a payment is, our entries say where they know it; `owner` holds what was asked of the database besides.
insert into owner
select payment_reference, min(order_id)
from near_entry
semi join named_payment on named_payment.reference = near_entry.payment_reference
where payment_reference not in (select reference from owner)
group by payment_reference;

create or replace temp table keyed_line as
select
    * exclude (class),
    case
        when class in ('loose', 'other') then 'line/' || line_id
        else coalesce({order_of_line}, 'payment/' || {payment_of_line})
    end as key
from (
    select
        -- An order may be called by its number, which only the database knows to be one.
        aside_line.* replace (coalesce(by_number.order_id, aside_line.order_id) as order_id),
        by_payment.order_id as payment_owner,
        by_source.order_id as source_owner,
        {line_class} as class
    from aside_line
    left join owner as by_payment on by_payment.reference = aside_line.payment_reference
    left join owner as by_source on by_source.reference = aside_line.source_id
    left join owner as by_number on by_number.reference = {number} || aside_line.order_id
    -- The provider's account may serve other shops: what they took is theirs, unless our books say otherwise.
    where aside_line.shop in ('', {shop}) or by_payment.order_id is not null or by_source.order_id is not null
);

create or replace temp table concerned as
select key from keyed_line
union
select 'order/' || order_id from aside_entry
union
select key from suspect;

create or replace temp table concerned_order as
select substr(key, length('order/') + 1) as order_id from concerned where starts_with(key, 'order/');

-- What was cleared too early is of a key that is concerned and not aside: all of one name are, or none, on both sides.
create or replace temp table concerned_entry as
select * from entry where order_id in (select order_id from concerned_order);

create or replace temp table recalled_entry as
select concerned_entry.*, 'order/' || order_id as key
from concerned_entry
anti join (select {entry_class} as class, {entry_name} as name from aside_entry) as aside
    on aside.class = {entry_class} and aside.name = {entry_name};

-- Both of a pair that was cleared name one payment.
create or replace temp table recalled_line as
select
    line.*,
    recalled_name.order_id as payment_owner,
    null::varchar as source_owner,
    'order/' || recalled_name.order_id as key
from (select * from line where payment_reference in (select payment_reference from recalled_entry)) as line
join (select {entry_class} as class, {entry_name} as name, order_id from recalled_entry) as recalled_name
    on recalled_name.class = {line_class} and recalled_name.name = {line_name};
