-- Purchase histories as of $as_of, and what came within $horizon days after it, from order lines in
-- table `lines`; business days are those of $time_zone.
WITH moments AS (
    SELECT 'past' AS side, $as_of::TIMESTAMP AS until
    UNION ALL SELECT 'later', $as_of::TIMESTAMP + to_days($horizon::INTEGER)
),
-- A sale and the next move of the same goods, its full return within a day, cancel each other;
-- what lies behind a moment is not known at it.
moves AS (
    SELECT lines.*, side, until,
        lag(quantity) OVER goods AS quantity_before,
        lag(ordered_at) OVER goods AS ordered_before,
        lead(quantity) OVER goods AS quantity_after,
        lead(ordered_at) OVER goods AS ordered_after
    FROM lines JOIN moments ON ordered_at <= until
    WHERE key_kind = 'customer'
        AND ((line_type = 'sale' AND quantity > 0) OR (line_type = 'return' AND quantity < 0))
    WINDOW goods AS (
        PARTITION BY side, customer_key, product_id, unit_price, currency
        ORDER BY ordered_at, quantity DESC, order_id, discount
    )
),
counted AS (
    SELECT side, customer_key, ordered_at, line_type, quantity * unit_price - discount AS net
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
    SELECT side, customer_key, ordered_at, line_type, quantity * unit_price - discount
    FROM lines JOIN moments ON ordered_at <= until
    WHERE key_kind = 'customer'
        AND ((line_type = 'sale' AND quantity <= 0) OR (line_type = 'return' AND quantity >= 0))
),
dated AS (
    SELECT *, ((ordered_at AT TIME ZONE 'UTC') AT TIME ZONE $time_zone)::DATE AS day FROM counted
),
past AS (
    SELECT customer_key,
        count(DISTINCT day) FILTER (line_type = 'sale') AS days,
        min(day) FILTER (line_type = 'sale') AS first_day,
        max(day) FILTER (line_type = 'sale') AS last_day,
        sum(net)::BIGINT AS net
    FROM dated WHERE side = 'past' GROUP BY customer_key HAVING days > 0
),
-- Who has no sale left has sent nothing back either: it was all an entry error.
later AS (
    SELECT customer_key,
        count(DISTINCT day) FILTER (line_type = 'sale' AND ordered_at > $as_of) AS purchases,
        coalesce(sum(net) FILTER (ordered_at > $as_of), 0)::BIGINT AS value
    FROM dated WHERE side = 'later' GROUP BY customer_key
    HAVING count(*) FILTER (line_type = 'sale') > 0
)
SELECT customer_key,
    days - 1 AS frequency,
    last_day - first_day AS recency,
    (($as_of::TIMESTAMP AT TIME ZONE 'UTC') AT TIME ZONE $time_zone)::DATE - first_day AS age,
    net / days AS average,
    coalesce(purchases, 0) AS purchases,
    coalesce(value, 0) AS value
FROM past LEFT JOIN later USING (customer_key)
ORDER BY customer_key
