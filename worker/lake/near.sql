-- Which of our entries lines that are aside may mean: those of the payments and of the orders that they name. Our books
-- are many and these are few: they are looked through once, by two columns as they stand in the files.
create or replace temp table named_payment as
select distinct reference
from (select payment_reference as reference from aside_line union all select source_id from aside_line)
where reference <> '';

create or replace temp table named_order as
select distinct order_id from aside_line where order_id <> '';

create or replace temp table near_entry as
select order_id, payment_reference
from entry
where payment_reference in (select reference from named_payment) or order_id in (select order_id from named_order);
