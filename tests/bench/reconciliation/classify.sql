-- The whole comparison as one statement: both sides by order and currency, and what differs by its kind.
--
-- As good as SQL on two tables gets without becoming a program: it finds what the made books hold, and knows no grace,
-- no tolerance, no pairing of single movements, no payouts, no earlier run. Order ids are cut to 32 bytes of ASCII: the
-- server keeps what it groups in rows of a fixed width, and would need four bytes for each of 128 characters.
INSERT INTO sql_breaks (`key`, currency, kind, ours_minor, theirs_minor)
SELECT
    CONCAT('order/', order_id), currency,
    CASE
        WHEN COUNT(*) OVER (PARTITION BY order_id) > 1 THEN 'currency_mismatch'
        WHEN disputed <> 0 THEN 'disputed'
        WHEN our_captures = 0 AND our_refunds = 0 THEN 'missing_internal'
        WHEN their_charges = 0 AND their_refunds = 0 THEN 'missing_external'
        WHEN their_charges > our_captures THEN 'duplicate_external'
        WHEN their_refunds > our_refunds THEN 'refund_exceeds'
        WHEN their_refunds < our_refunds THEN 'refund_missing'
        WHEN theirs < ours THEN 'amount_under'
        ELSE 'amount_over'
    END,
    ours, theirs
FROM (
    SELECT
        order_id, currency, SUM(ours) AS ours, SUM(theirs) AS theirs, SUM(disputed) AS disputed,
        SUM(our_capture) AS our_captures, SUM(our_refund) AS our_refunds,
        SUM(their_charge) AS their_charges, SUM(their_refund) AS their_refunds
    FROM (
        SELECT
            CAST(order_id AS CHAR(32) CHARACTER SET ascii) AS order_id, currency, amount_minor AS ours, 0 AS theirs, 0 AS disputed,
            kind = 'capture' AS our_capture, kind = 'refund' AS our_refund, 0 AS their_charge, 0 AS their_refund
        FROM book_entries WHERE shop = 'main' AND provider = 'stripe'
        UNION ALL
        SELECT
            CAST(
                COALESCE(NULLIF(line.order_id, ''), payments.order_id, line.payment_reference)
                AS CHAR(32) CHARACTER SET ascii
            ),
            line.currency,
            0, line.gross_minor, CASE WHEN line.kind IN ('dispute', 'dispute_reversal') THEN line.gross_minor ELSE 0 END,
            0, 0, line.kind = 'charge', line.kind = 'refund'
        FROM sql_lines AS line
        LEFT JOIN payments
            ON line.order_id = '' AND payments.provider = 'stripe' AND payments.reference = line.payment_reference
        WHERE line.kind IN (
            'charge', 'refund', 'refund_failure', 'partial_capture_reversal', 'dispute', 'dispute_reversal'
        )
    ) AS movement
    GROUP BY order_id, currency
    HAVING ours <> theirs
) AS apart
UNION ALL
SELECT CONCAT('line/', line_id), currency, 'unclassified', 0, gross_minor
FROM sql_lines
WHERE kind NOT IN (
    'charge', 'refund', 'refund_failure', 'partial_capture_reversal', 'dispute', 'dispute_reversal', 'payout', 'fee',
    'transfer', 'other_adjustment'
)
