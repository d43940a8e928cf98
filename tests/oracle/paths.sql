-- The last views before each purchase, from the table events (row, customer_key, occurred_at,
-- event_type, product_id). Parameters: last, and within in microseconds.
WITH named AS (SELECT * FROM events WHERE product_id IS NOT NULL),
numbered AS (
    SELECT
        p.customer_key,
        p.occurred_at AS purchased_at,
        p.product_id,
        p.row,
        row_number() OVER (
            PARTITION BY p.row ORDER BY v.occurred_at DESC, v.product_id
        ) AS position,
        v.product_id AS viewed_product_id,
        epoch_us(p.occurred_at) - epoch_us(v.occurred_at) AS before
    FROM named p
    JOIN named v ON v.customer_key = p.customer_key AND v.occurred_at < p.occurred_at
    WHERE p.event_type = 'purchase' AND v.event_type = 'view'
)
SELECT
    customer_key,
    purchased_at,
    product_id,
    position,
    viewed_product_id,
    before / 1e6 AS seconds_before,
    product_id = viewed_product_id AS is_same_product,
    row
FROM numbered
WHERE position <= $last AND before <= $within
ORDER BY customer_key, purchased_at, product_id, row, position;
