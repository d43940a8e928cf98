-- customer_features as of $as_of, from order lines in table `lines`.
WITH known AS (
    SELECT * FROM lines WHERE key_kind = 'customer' AND ordered_at <= $as_of
),
-- A sale and the next move of the same goods, its full return within a day, cancel each other.
moves AS (
    SELECT *,
        lag(quantity) OVER goods AS quantity_before,
        lag(ordered_at) OVER goods AS ordered_before,
        lead(quantity) OVER goods AS quantity_after,
        lead(ordered_at) OVER goods AS ordered_after
    FROM known
    WHERE (line_type = 'sale' AND quantity > 0) OR (line_type = 'return' AND quantity < 0)
    WINDOW goods AS (
        PARTITION BY customer_key, product_id, unit_price, currency
        ORDER BY ordered_at, quantity DESC, order_id, discount
    )
),
counted AS (
    SELECT order_id, customer_key, ordered_at, product_id, quantity, unit_price, discount,
        currency, line_type
    FROM moves
    WHERE NOT coalesce(
            quantity > 0 AND quantity_after = -quantity
            AND ordered_after <= ordered_at + INTERVAL 24 HOURS,
            false
        )
        AND NOT coalesce(
            quantity_before > 0 AND quantity = -quantity_before
            AND ordered_at <= ordered_before + INTERVAL 24 HOURS,
            false
        )
    UNION ALL
    SELECT order_id, customer_key, ordered_at, product_id, quantity, unit_price, discount,
        currency, line_type
    FROM known
    WHERE (line_type = 'sale' AND quantity <= 0) OR (line_type = 'return' AND quantity >= 0)
),
totals AS (
    SELECT
        customer_key,
        min(ordered_at) FILTER (line_type = 'sale') AS first_order_at,
        max(ordered_at) FILTER (line_type = 'sale') AS last_order_at,
        count(DISTINCT order_id) FILTER (line_type = 'sale') AS orders,
        sum(quantity) FILTER (line_type = 'sale') AS units,
        count(DISTINCT product_id) FILTER (line_type = 'sale') AS products,
        sum(quantity * unit_price - discount) AS revenue,
        coalesce(-sum(quantity) FILTER (line_type = 'return'), 0) AS returned_units,
        any_value(currency) AS currency
    FROM counted
    GROUP BY customer_key
)
SELECT
    customer_key,
    $as_of AS as_of,
    first_order_at,
    last_order_at,
    epoch_us($as_of - last_order_at) / 86400e6 AS days_since_last_order,
    epoch_us($as_of - first_order_at) / 86400e6 AS tenure_days,
    orders,
    units::BIGINT AS units,
    products,
    revenue::BIGINT AS revenue,
    revenue / orders AS average_order,
    returned_units::BIGINT AS returned_units,
    returned_units / greatest(units, 1) AS return_rate,
    currency
FROM totals
WHERE orders > 0
ORDER BY customer_key
