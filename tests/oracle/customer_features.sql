-- customer_features as of $as_of, from order lines in table `lines` and what else there is:
-- `products`, `sessions`, `texts`, `messages`, where $has_products, … say that they are there.
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
sales AS (
    SELECT *, quantity * unit_price AS gross FROM counted WHERE line_type = 'sale'
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
        coalesce(sum(quantity * unit_price - discount) FILTER (
            ordered_at > $as_of - INTERVAL 90 DAYS), 0) AS revenue_last_90_days,
        sum(discount) FILTER (line_type = 'sale')
            / nullif(sum(quantity * unit_price) FILTER (line_type = 'sale'), 0) AS discount_share,
        any_value(currency) AS currency
    FROM counted
    GROUP BY customer_key
    HAVING orders > 0
),
orders AS (
    SELECT customer_key, order_id, min(ordered_at) AS began_at
    FROM sales GROUP BY customer_key, order_id
),
pauses AS (
    SELECT customer_key, began_at, epoch_us(began_at - lag(began_at) OVER (
        PARTITION BY customer_key ORDER BY began_at, order_id)) AS pause
    FROM orders
),
mean_pauses AS (
    SELECT customer_key, sum(pause)::BIGINT / count(pause) AS mean_pause, count(pause) AS pauses,
        count(*) FILTER (began_at > $as_of - INTERVAL 90 DAYS) AS orders_last_90_days
    FROM pauses GROUP BY customer_key
),
rhythm AS (
    SELECT customer_key,
        any_value(orders_last_90_days) AS orders_last_90_days,
        any_value(mean_pause) / 86400e6 AS mean_days_between_orders,
        CASE WHEN any_value(pauses) > 1
            THEN sqrt(sum((pause - mean_pause) ** 2) / (any_value(pauses) - 1)) / 86400e6
        END AS sd_days_between_orders
    FROM pauses JOIN mean_pauses USING (customer_key) GROUP BY customer_key
),
in_category AS (
    SELECT customer_key, category, sum(quantity)::BIGINT AS units
    FROM sales JOIN products USING (product_id)
    WHERE category IS NOT NULL
    GROUP BY customer_key, category HAVING sum(quantity) > 0
),
shares AS (
    SELECT *, units / sum(units) OVER (PARTITION BY customer_key) AS share,
        row_number() OVER (PARTITION BY customer_key ORDER BY units DESC, category) AS place
    FROM in_category
),
mix AS (
    SELECT customer_key, count(*) AS categories,
        any_value(category) FILTER (place = 1) AS favourite_category,
        any_value(share) FILTER (place = 1) AS favourite_category_share,
        sum(-share * log2(share)) AS category_entropy
    FROM shares GROUP BY customer_key
),
visits AS (
    SELECT customer_key, count(*) AS sessions,
        count(*) FILTER (started_at > $as_of - INTERVAL 30 DAYS) AS sessions_last_30_days,
        epoch_us($as_of - max(ended_at)) / 86400e6 AS days_since_last_session,
        sum(views) AS views, sum(carts) AS carts,
        count(*) FILTER (purchases > 0) / count(*) AS conversion,
        count(*) FILTER (carts > 0 AND purchases = 0)
            / nullif(count(*) FILTER (carts > 0), 0) AS cart_abandonment
    FROM sessions
    WHERE key_kind = 'customer' AND excluded_for IS NULL AND started_at <= $as_of
    GROUP BY customer_key
),
-- In whole billionths, whose sum is the same in any order.
moods AS (
    SELECT *, round((positive - negative) * 1e9)::BIGINT AS mood,
        created_at > $as_of - INTERVAL 90 DAYS AS is_recent
    FROM texts WHERE key_kind = 'customer' AND created_at <= $as_of
),
said AS (
    SELECT customer_key, count(*) AS texts, count(*) FILTER (is_recent) AS texts_last_90_days,
        sum(mood)::BIGINT / count(*) / 1e9 AS mean_mood,
        sum(mood) FILTER (is_recent)::BIGINT
            / nullif(count(*) FILTER (is_recent), 0) / 1e9 AS mean_mood_last_90_days
    FROM moods GROUP BY customer_key
),
cases AS (
    SELECT customer_key, min(opened_at) AS opened_at,
        max(resolved_at) FILTER (resolved_at <= $as_of) AS resolved_at
    FROM messages
    WHERE key_kind = 'customer' AND sent_at <= $as_of AND opened_at <= $as_of
    GROUP BY customer_key, case_id
),
contacts AS (
    SELECT customer_key, count(*) AS support_cases,
        count(*) FILTER (resolved_at IS NULL) AS open_cases,
        epoch_us($as_of - max(opened_at)) / 86400e6 AS days_since_last_case,
        sum(epoch_us(resolved_at - opened_at))::BIGINT / nullif(count(resolved_at), 0) / 3600e6
            AS mean_hours_to_resolve
    FROM cases GROUP BY customer_key
),
features AS (
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
        currency,
        orders_last_90_days,
        revenue_last_90_days::BIGINT AS revenue_last_90_days,
        discount_share,
        mean_days_between_orders,
        sd_days_between_orders,
        CASE WHEN $has_products THEN coalesce(categories, 0) END AS categories,
        favourite_category,
        favourite_category_share,
        category_entropy,
        CASE WHEN $has_sessions THEN coalesce(sessions, 0) END AS sessions,
        CASE WHEN $has_sessions THEN coalesce(sessions_last_30_days, 0) END
            AS sessions_last_30_days,
        days_since_last_session,
        CASE WHEN $has_sessions THEN coalesce(views, 0) END AS views,
        CASE WHEN $has_sessions THEN coalesce(carts, 0) END AS carts,
        conversion,
        cart_abandonment,
        CASE WHEN $has_texts THEN coalesce(texts, 0) END AS texts,
        CASE WHEN $has_texts THEN coalesce(texts_last_90_days, 0) END AS texts_last_90_days,
        mean_mood,
        mean_mood_last_90_days,
        CASE WHEN $has_messages THEN coalesce(support_cases, 0) END AS support_cases,
        CASE WHEN $has_messages THEN coalesce(open_cases, 0) END AS open_cases,
        days_since_last_case,
        mean_hours_to_resolve
    FROM totals
    JOIN rhythm USING (customer_key)
    LEFT JOIN mix USING (customer_key)
    LEFT JOIN visits USING (customer_key)
    LEFT JOIN said USING (customer_key)
    LEFT JOIN contacts USING (customer_key)
),
-- Of k fifths of the customers, the least value that as many don't exceed; equals stay together.
counts AS (
    SELECT count(*) OVER () AS customers,
        days_since_last_order, count(*) OVER (ORDER BY days_since_last_order) AS not_more_days,
        orders, count(*) OVER (ORDER BY orders) AS not_more_orders,
        revenue, count(*) OVER (ORDER BY revenue) AS not_more_revenue
    FROM features
),
cuts AS (
    SELECT k,
        min(days_since_last_order) FILTER (5 * not_more_days >= k * customers) AS days_cut,
        min(orders) FILTER (5 * not_more_orders >= k * customers) AS orders_cut,
        min(revenue) FILTER (5 * not_more_revenue >= k * customers) AS revenue_cut
    FROM counts, range(1, 5) AS fifths (k)
    GROUP BY k
)
SELECT *,
    5 - (SELECT count(*) FROM cuts WHERE days_cut < features.days_since_last_order)
        AS days_since_last_order_score,
    1 + (SELECT count(*) FROM cuts WHERE orders_cut < features.orders) AS orders_score,
    1 + (SELECT count(*) FROM cuts WHERE revenue_cut < features.revenue) AS revenue_score
FROM features
ORDER BY customer_key
