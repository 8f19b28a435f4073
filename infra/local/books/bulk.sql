-- The same books as story.py and records.py make, for millions of orders at once; a test keeps them equal, row by row.
-- Names after a dollar are filled in by bulk.py from the tables of market.py, so that no figure stands twice.

CREATE OR REPLACE MACRO fee(amount, step, fixed_fee) AS
    (amount * $fee_basis_points + 5000) // 10000 // step * step + fixed_fee;
CREATE OR REPLACE MACRO moment(seconds) AS make_timestamp(seconds * 1000000);
CREATE OR REPLACE MACRO payout_of(currency, seconds) AS
    'po_' || currency || '_' || strftime(moment((seconds // 86400 + $payout_days) * 86400), '%Y%m%d');

CREATE OR REPLACE TABLE chances AS
SELECT
    n AS number,
    substr(md5('$seed/' || n), 1, 22) AS mark,
    draw(n, 1) % 1000 AS of_course,
    draw(n, 2) % 1000 AS of_tender,
    draw(n, 3) % 1000 AS of_basket,
    draw(n, 4) AS of_price,
    draw(n, 5) % 60 AS of_part,
    draw(n, 6) % 40 AS of_rest,
    draw(n, 7) % 1000 AS of_hour,
    draw(n, 8) % 3600 AS of_second,
    draw(n, 9) % 180 AS of_charge,
    draw(n, 10) % 144000 AS of_parcel,
    draw(n, 11) % 86400 AS of_refund,
    draw(n, 12) % 1000 AS of_mode,
    draw(n, 13) % 1000 AS of_name,
    draw(n, 14) % $lag_seconds AS lag,
    draw(n, 15) % 1000000 AS of_harm
FROM range($size) AS numbers(n);

CREATE OR REPLACE TABLE stories AS
WITH chosen AS (
    SELECT *, $course AS course, $tender AS tender, $low AS low, $high AS high, $hour AS hour FROM chances
),
priced AS (
    SELECT *,
        $code AS currency, $step AS step, $fixed_fee AS fixed_fee, $dispute_fee AS dispute_fee,
        (low + of_price % (high - low)) * $numerator // $denominator // $step * $step AS total,
        $epoch + number * $days // $size * 86400 + hour * 3600 + of_second AS placed
    FROM chosen
),
timed AS (
    SELECT *,
        placed + 2 + of_charge AS charged,
        placed + 2 + of_charge + 60 AS requested,
        placed + 2 + of_charge + 60 + 10800 + of_parcel AS shipped
    FROM priced
),
harmed AS (
    SELECT *,
        CASE course $harm ELSE '' END AS harm,
        CASE WHEN course = 'returned' THEN shipped ELSE charged END + 36000 + of_refund AS refunded
    FROM timed
)
SELECT
    number, (1000000000 + number)::VARCHAR AS order_id, mark, course, harm, currency, step, fixed_fee, dispute_fee, total,
    greatest(total * (10 + of_part) // 100 // step, 1) * step AS part,
    greatest(total * (1 + of_rest) // 100 // step, 1) * step AS rest,
    of_mode < $collected AS collected,
    of_name >= $unnamed OR course = 'charged_twice_and_voided' AS named,
    course NOT IN ($without_money) AS with_money,
    course NOT IN ($without_goods) AS with_goods,
    placed, charged, lag, requested, shipped, refunded,
    greatest(shipped, refunded) + 50400 AS over
FROM harmed;
DROP TABLE chances;

CREATE OR REPLACE VIEW entries AS
WITH booked AS (
    SELECT *, 'capture' AS kind, '1' AS place, CASE course WHEN 'split' THEN part ELSE total END AS minor, charged AS at_second
    FROM stories WHERE with_money AND harm <> 'entry_missing'
    UNION ALL BY NAME
    SELECT *, 'capture' AS kind, '2' AS place, total - part AS minor, charged + $second_payment AS at_second
    FROM stories WHERE course = 'split'
    UNION ALL BY NAME
    SELECT *, 'refund' AS kind, '1' AS place,
        CASE WHEN course IN ('given_back', 'returned') THEN -total ELSE -part END AS minor, refunded AS at_second
    FROM stories WHERE course IN ('refunded_in_part', 'refunded_twice', 'given_back', 'returned')
    UNION ALL BY NAME
    SELECT *, 'refund' AS kind, '2' AS place, part - total AS minor, refunded + $again_after AS at_second
    FROM stories WHERE course = 'refunded_twice'
)
SELECT
    number, '$provider' AS provider, kind,
    CASE kind WHEN 'capture' THEN 'pi_' ELSE 're_' END || mark || place AS reference,
    'pi_' || mark || CASE kind WHEN 'capture' THEN place ELSE '1' END AS payment_reference,
    '$shop' AS shop, order_id, minor AS amount_minor, currency, moment(at_second + lag) AS occurred_at
FROM booked;

CREATE OR REPLACE VIEW payments AS
SELECT
    number, '$provider' AS provider, 'pi_' || mark || place AS reference, '$shop' AS shop, order_id,
    paid AS amount_minor, currency, 'captured' AS state, paid AS captured_minor,
    CASE WHEN place = 2 THEN 0
        WHEN course IN ('given_back', 'returned', 'refunded_twice') THEN total
        WHEN course = 'refunded_in_part' THEN part ELSE 0 END AS refunded_minor,
    '' AS detail, moment(placed) AS first_seen_at, moment(over) AS updated_at
FROM (
    SELECT *, 1 AS place, CASE course WHEN 'split' THEN part ELSE total END AS paid FROM stories WHERE with_money
    UNION ALL BY NAME
    SELECT *, 2 AS place, total - part AS paid FROM stories WHERE course = 'split'
);

CREATE OR REPLACE VIEW items AS
WITH shown AS (
    SELECT *, 'charge' AS kind, 0 AS place, 'ch' AS source, 1 AS payment, charged AS at_second,
        CASE course WHEN 'split' THEN part WHEN 'partial_capture' THEN total + rest ELSE total END
            + CASE harm WHEN 'amount_under' THEN -step WHEN 'amount_over' THEN step ELSE 0 END AS gross,
        fee(
            CASE course WHEN 'split' THEN part WHEN 'partial_capture' THEN total + rest ELSE total END
                + CASE harm WHEN 'amount_under' THEN -step WHEN 'amount_over' THEN step ELSE 0 END,
            step, fixed_fee
        ) AS kept
    FROM stories WHERE with_money AND harm <> 'line_missing'
    UNION ALL BY NAME
    SELECT *, 'charge' AS kind, 0 AS place, 'ch' AS source, 1 AS payment, charged AS at_second,
        total AS gross, fee(total, step, fixed_fee) AS kept
    FROM stories WHERE harm = 'line_twice'
    UNION ALL BY NAME
    SELECT *, 'charge' AS kind, 3 AS place, 'ch' AS source, 2 AS payment, charged + $second_payment AS at_second,
        CASE course WHEN 'split' THEN total - part ELSE total END AS gross,
        fee(CASE course WHEN 'split' THEN total - part ELSE total END, step, fixed_fee) AS kept
    FROM stories WHERE course IN ('split', 'charged_twice_and_voided')
    UNION ALL BY NAME
    SELECT *, 'partial_capture_reversal' AS kind, 4 AS place, 're' AS source, 1 AS payment, charged AS at_second,
        -rest AS gross, fee(total, step, fixed_fee) - fee(total + rest, step, fixed_fee) AS kept
    FROM stories WHERE course = 'partial_capture'
    UNION ALL BY NAME
    SELECT *, 'refund' AS kind, 1 AS place, 're' AS source, 1 AS payment, refunded AS at_second,
        CASE WHEN course IN ('given_back', 'returned') THEN -total ELSE -part END AS gross, 0 AS kept
    FROM stories
    WHERE (course IN ('refunded_in_part', 'refunded_twice', 'given_back', 'returned', 'refund_failed')
        AND harm <> 'refund_lost') OR harm = 'refund_unknown'
    UNION ALL BY NAME
    SELECT *, 'refund' AS kind, 2 AS place, 're' AS source, 1 AS payment, refunded + $again_after AS at_second,
        part - total AS gross, 0 AS kept
    FROM stories WHERE course = 'refunded_twice'
    UNION ALL BY NAME
    SELECT *, 'refund_failure' AS kind, 5 AS place, 're' AS source, 1 AS payment, refunded + $failed_after AS at_second,
        part AS gross, 0 AS kept
    FROM stories WHERE course = 'refund_failed'
    UNION ALL BY NAME
    SELECT *, 'dispute' AS kind, 6 AS place, 'dp' AS source, 1 AS payment, refunded AS at_second,
        -total AS gross, dispute_fee AS kept
    FROM stories WHERE course = 'dispute_won' OR harm = 'dispute_lost'
    UNION ALL BY NAME
    SELECT *, 'dispute_reversal' AS kind, 7 AS place, 'dp' AS source, 1 AS payment, refunded + $won_after AS at_second,
        total AS gross, 0 AS kept
    FROM stories WHERE course = 'dispute_won'
    UNION ALL BY NAME
    SELECT *, 'refund' AS kind, 8 AS place, 're' AS source, 2 AS payment,
        charged + $second_payment + $voided_after AS at_second, -total AS gross, 0 AS kept
    FROM stories WHERE course = 'charged_twice_and_voided'
    UNION ALL BY NAME
    SELECT *, 'unclassified' AS kind, 9 AS place, 'xx' AS source, 1 AS payment, refunded AS at_second,
        -part AS gross, 0 AS kept
    FROM stories WHERE harm = 'unknown_type'
)
SELECT
    number, 'txn_' || mark || place AS line_id, '$provider' AS provider, kind,
    CASE WHEN harm = 'currency' THEN CASE currency WHEN 'EUR' THEN 'USD' ELSE 'EUR' END ELSE currency END AS currency,
    gross AS gross_minor, kept AS fee_minor, gross - kept AS net_minor, moment(at_second) AS created_at,
    'pi_' || mark || payment AS payment_reference,
    CASE WHEN named THEN order_id ELSE '' END AS order_id,
    source || '_' || mark || CASE source WHEN 'ch' THEN payment ELSE place END AS source_id,
    payout_of(
        CASE WHEN harm = 'currency' THEN CASE currency WHEN 'EUR' THEN 'USD' ELSE 'EUR' END ELSE currency END, at_second
    ) AS payout_id,
    CASE kind WHEN 'unclassified' THEN 'climate_contribution' ELSE kind END AS type_text, '$shop' AS shop
FROM shown;

CREATE OR REPLACE VIEW payout_lines AS
SELECT
    NULL::BIGINT AS number, 'txn_' || payout_id AS line_id, '$provider' AS provider, 'payout' AS kind, currency,
    -sum(net_minor)::BIGINT AS gross_minor, 0::BIGINT AS fee_minor, -sum(net_minor)::BIGINT AS net_minor,
    strptime(right(payout_id, 8), '%Y%m%d') AS created_at, '' AS payment_reference, '' AS order_id,
    payout_id AS source_id, payout_id, 'payout' AS type_text, '' AS shop
FROM items GROUP BY payout_id, currency;

CREATE OR REPLACE VIEW lines AS SELECT * FROM items UNION ALL BY NAME SELECT * FROM payout_lines;

CREATE OR REPLACE VIEW orders AS
SELECT
    number, '$shop' AS shop, order_id, currency, total AS total_minor, 0 AS shipping_minor, 0 AS discount_minor, 0 AS tax_minor,
    '[{"sku": "MUG-BLUE", "quantity": 1, "unit_price_minor": ' || total || '}]' AS positions,
    'customer-' || number % 100000 AS customer_id,
    CASE WHEN collected THEN 'collected_by_shop' ELSE 'charge' END AS payment_mode,
    CASE WHEN collected THEN NULL ELSE 'pm_card_visa' END AS payment_method,
    CASE WHEN collected THEN 'webhook' ELSE 'api' END AS origin,
    CASE course $state ELSE 'completed' END AS state, '' AS state_reason,
    moment(placed) AS placed_at, moment(over) AS updated_at, 0 AS trail_length
FROM stories;

CREATE OR REPLACE VIEW listed AS
SELECT
    number, order_id, total AS total_minor, currency, with_money AS paid, course IN ($cancelled_in_shop) AS cancelled,
    moment(placed) AS created_at, moment(over) AS updated_at
FROM stories WHERE collected;

CREATE OR REPLACE VIEW parcels AS
SELECT
    number, '$shop' AS shop, 'shp_' || mark AS shipment_id, order_id, 'shipped' AS state, moment(requested) AS requested_at,
    moment(shipped) AS shipped_at, 'T' || substr(mark, 1, 12) AS tracking
FROM stories WHERE with_goods;

CREATE OR REPLACE MACRO major(minor, currency) AS CASE currency
    WHEN 'JPY' THEN minor::VARCHAR
    WHEN 'KWD' THEN (minor * 0.001::DECIMAL(4, 3))::VARCHAR
    ELSE (minor * 0.01::DECIMAL(3, 2))::VARCHAR END;

-- Stripe's itemised payout reconciliation; the payouts' own lines are not in it.
CREATE OR REPLACE VIEW statement AS
SELECT
    payout_id AS automatic_payout_id,
    strftime(strptime(right(payout_id, 8), '%Y%m%d'), '%Y-%m-%d 00:00:00') AS automatic_payout_effective_at_utc,
    line_id AS balance_transaction_id,
    strftime(created_at, '%Y-%m-%d %H:%M:%S') AS created_utc,
    strftime(strptime(right(payout_id, 8), '%Y%m%d'), '%Y-%m-%d 00:00:00') AS available_on_utc,
    lower(currency) AS currency,
    major(gross_minor, currency) AS gross, major(fee_minor, currency) AS fee, major(net_minor, currency) AS net,
    type_text AS reporting_category, source_id,
    'Order ' || nullif(order_id, '') AS description,
    NULL AS customer_facing_amount, NULL AS customer_facing_currency, NULL AS charge_id,
    payment_reference AS payment_intent_id, NULL AS charge_created_utc, 'card' AS payment_method_type,
    NULL AS card_brand, NULL AS card_funding, NULL AS card_country, NULL AS statement_descriptor, NULL AS dispute_reason,
    shop AS "payment_metadata[shop]", nullif(order_id, '') AS "payment_metadata[order_id]",
    NULL AS "refund_metadata[order_id]"
FROM items;

-- What the payments leg must say of the harm done, and of nothing else.
CREATE OR REPLACE VIEW expected AS
WITH said AS (
    SELECT *,
        CASE harm
            WHEN 'line_missing' THEN 'missing_external' WHEN 'entry_missing' THEN 'missing_internal'
            WHEN 'currency' THEN 'currency_mismatch' WHEN 'line_twice' THEN 'duplicate_external'
            WHEN 'refund_unknown' THEN 'refund_exceeds' WHEN 'refund_lost' THEN 'refund_missing'
            WHEN 'dispute_lost' THEN 'disputed' WHEN 'unknown_type' THEN 'unclassified' ELSE harm END AS kind,
        CASE harm WHEN 'entry_missing' THEN 0 WHEN 'refund_lost' THEN total - part WHEN 'unknown_type' THEN 0 ELSE total END
            AS ours_minor,
        CASE harm
            WHEN 'line_missing' THEN 0 WHEN 'currency' THEN 0 WHEN 'line_twice' THEN 2 * total
            WHEN 'amount_under' THEN total - step WHEN 'amount_over' THEN total + step
            WHEN 'refund_unknown' THEN total - part WHEN 'dispute_lost' THEN 0 WHEN 'unknown_type' THEN -part
            ELSE total END AS theirs_minor
    FROM stories WHERE harm <> ''
)
SELECT number,
    CASE harm WHEN 'unknown_type' THEN 'line/txn_' || mark || '9' ELSE 'order/' || order_id END AS key,
    currency, kind, CASE harm WHEN 'unknown_type' THEN 'warning' ELSE 'break' END AS outcome,
    ours_minor, theirs_minor, abs(theirs_minor - ours_minor) AS at_risk_minor
FROM said
UNION ALL BY NAME
SELECT number, 'order/' || order_id AS key, CASE currency WHEN 'EUR' THEN 'USD' ELSE 'EUR' END AS currency,
    kind, 'break' AS outcome, 0 AS ours_minor, total AS theirs_minor, total AS at_risk_minor
FROM said WHERE harm = 'currency';
