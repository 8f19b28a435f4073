-- Which of our entries lines that are aside may mean: those of the payments and of the orders that they name. Our books
-- are many and these are few: they are looked through once, by two columns as they stand in the files, and by hashes, which
-- are looked up faster than texts are; whoever asks of what is near asks by its texts.
create or replace temp table named_payment as
select distinct reference
from (select payment_reference as reference from aside_line union all select source_id from aside_line)
where reference <> '';

create or replace temp table named_order as
select distinct order_id from aside_line where order_id <> '';

create or replace temp table near_entry as
select order_id, payment_reference
from (select order_id, payment_reference, hash(order_id) as of_order, hash(payment_reference) as of_payment from entry)
where of_payment in (select hash(reference) from named_payment) or of_order in (select hash(order_id) from named_order);
