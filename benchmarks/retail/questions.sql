-- The questions of retail_questions.py in DuckDB's SQL, over a lake's tables. Money is in minor
-- units. `latest` is a product's last known category, `visits` the views that lie in sessions.

-- name: category_pairs
-- Which two categories are bought in one order, and how much more often than by chance?
WITH latest AS (
    SELECT product_id, arg_max(category, updated_at) AS category FROM products GROUP BY product_id
), held AS (
    SELECT DISTINCT customer_key, order_id, category
    FROM orders JOIN latest USING (product_id) WHERE line_type = 'sale'
), items AS (
    SELECT category, count(*) AS baskets FROM held GROUP BY category
), total AS (
    SELECT count(DISTINCT (customer_key, order_id)) AS baskets FROM held
), counted AS (
    SELECT a.category, b.category AS related_category, count(*) AS baskets
    FROM held a JOIN held b ON a.customer_key = b.customer_key AND a.order_id = b.order_id
        AND a.category < b.category
    GROUP BY ALL
)
SELECT c.category, c.related_category, c.baskets, c.baskets / t.baskets AS support,
       c.baskets / i.baskets AS confidence, c.baskets / r.baskets AS reverse_confidence,
       c.baskets * t.baskets / (i.baskets * r.baskets) AS lift
FROM counted c JOIN items i ON i.category = c.category
     JOIN items r ON r.category = c.related_category CROSS JOIN total t
ORDER BY c.baskets DESC, c.category, c.related_category;

-- name: viewed_with_a_product
-- What else is looked at in the visits in which a product is: the five most frequent ones of each?
WITH visits AS (
    SELECT DISTINCT s.session_id, c.product_id
    FROM clickstream c JOIN sessions s ON s.customer_key = c.customer_key
        AND c.occurred_at BETWEEN s.started_at AND s.ended_at
    WHERE c.event_type = 'view' AND c.product_id IS NOT NULL AND s.excluded_for IS NULL
)
SELECT a.product_id, b.product_id AS related_product_id,
       row_number() OVER (
           PARTITION BY a.product_id ORDER BY count(*) DESC, b.product_id
       ) AS rank,
       count(*) AS baskets
FROM visits a JOIN visits b ON a.session_id = b.session_id AND a.product_id <> b.product_id
GROUP BY a.product_id, b.product_id
QUALIFY rank <= 5 ORDER BY a.product_id, rank;

-- name: last_views_before_a_purchase
-- Which products are among the last five views in the ten days before a product is bought?
WITH paths AS (
    SELECT p.product_id, v.product_id AS viewed_product_id,
           epoch_us(p.occurred_at) - epoch_us(v.occurred_at) AS before,
           row_number() OVER (
               PARTITION BY p.event_id ORDER BY v.occurred_at DESC, v.product_id
           ) AS position
    FROM clickstream p JOIN clickstream v
         ON v.customer_key = p.customer_key AND v.occurred_at < p.occurred_at
    WHERE p.event_type = 'purchase' AND v.event_type = 'view'
        AND p.product_id IS NOT NULL AND v.product_id IS NOT NULL
)
SELECT product_id, viewed_product_id, count(*) AS views, min(before) / 1e6 AS nearest_seconds
FROM paths WHERE position <= 5 AND before <= 10 * 86400000000::BIGINT
GROUP BY ALL ORDER BY views DESC, product_id, viewed_product_id;

-- name: purchases_after_a_look
-- How many purchases came after views of that very product, and how long after?
WITH purchases AS (
    SELECT * FROM clickstream WHERE event_type = 'purchase' AND product_id IS NOT NULL
), paths AS (
    SELECT p.event_id, p.product_id = v.product_id AS is_own,
           (epoch_us(p.occurred_at) - epoch_us(v.occurred_at)) / 1e6 AS seconds,
           row_number() OVER (
               PARTITION BY p.event_id ORDER BY v.occurred_at DESC, v.product_id
           ) AS position
    FROM purchases p JOIN clickstream v
         ON v.customer_key = p.customer_key AND v.occurred_at < p.occurred_at
    WHERE v.event_type = 'view' AND v.product_id IS NOT NULL
), told AS (
    SELECT p.event_id, p.product_id, count(v.event_id) AS views,
           min(v.seconds) FILTER (v.is_own) AS own_seconds
    FROM purchases p LEFT JOIN paths v
         ON v.event_id = p.event_id AND v.position <= 5 AND v.seconds <= 10 * 86400
    GROUP BY ALL
)
SELECT product_id, count(*) AS purchases, count_if(views > 0) AS after_views,
       sum(views)::BIGINT AS views, count(own_seconds) AS after_own_views,
       median(own_seconds) AS median_seconds
FROM told GROUP BY product_id ORDER BY product_id;

-- name: pages_before_an_abandoned_cart
-- Which are the last three pages of visits that leave a cart behind?
WITH events AS (
    SELECT s.session_id, c.event_type, c.product_id, c.occurred_at
    FROM clickstream c JOIN sessions s ON s.customer_key = c.customer_key
        AND c.occurred_at BETWEEN s.started_at AND s.ended_at
), left_behind AS (
    SELECT session_id FROM events GROUP BY session_id
    HAVING bool_or(event_type = 'cart') AND NOT bool_or(event_type = 'purchase')
), pages AS (
    SELECT product_id, row_number() OVER (
        PARTITION BY session_id ORDER BY occurred_at DESC, product_id NULLS LAST
    ) AS position
    FROM events JOIN left_behind USING (session_id) WHERE event_type = 'view'
)
SELECT product_id, count(*) AS pages, count_if(position = 1) AS last_pages
FROM pages WHERE position <= 3 AND product_id IS NOT NULL
GROUP BY product_id ORDER BY pages DESC, product_id;

-- name: pages_of_abandoned_visits
-- How many pages has a visit that leaves a cart behind, on which device, and how long is it?
SELECT device, count(*) AS visits, avg(views) AS pages,
       avg(epoch_us(ended_at) - epoch_us(started_at)) / 6e7 AS minutes
FROM sessions
WHERE carts > 0 AND purchases = 0 AND excluded_for IS NULL AND device IS NOT NULL
GROUP BY device ORDER BY device;

-- name: category_trend
-- Which categories sell less and less: the slope of monthly revenue, worst first?
WITH latest AS (
    SELECT product_id, arg_max(category, updated_at) AS category FROM products GROUP BY product_id
), months AS (
    SELECT category, year(ordered_at) * 12 + month(ordered_at) AS month,
           sum(quantity * unit_price - discount) AS revenue
    FROM orders JOIN latest USING (product_id) WHERE line_type = 'sale' GROUP BY ALL
)
SELECT category, count(*) AS months, avg(revenue) AS monthly_revenue,
       regr_slope(revenue::DOUBLE, month) AS slope, slope / monthly_revenue AS relative_slope
FROM months GROUP BY category ORDER BY relative_slope, category;

-- name: stock_variation
-- Whose stock varies much within a month: standard deviation of at least half the mean?
WITH months AS (
    SELECT product_id, location, strftime(counted_at, '%Y-%m') AS month, count(*) AS counts,
           avg(on_hand) AS mean, stddev_samp(on_hand) AS deviation
    FROM inventory GROUP BY ALL
)
SELECT product_id, location, month, counts, mean, deviation / mean AS variation
FROM months WHERE mean > 0 AND deviation / mean >= 0.5
ORDER BY product_id, location, month;

-- name: stock_varies_twice
-- For which products is that so in two months on end?
WITH months AS (
    SELECT product_id, location, year(counted_at) * 12 + month(counted_at) AS month,
           stddev_samp(on_hand) / avg(on_hand) AS variation
    FROM inventory GROUP BY ALL HAVING avg(on_hand) > 0
)
SELECT a.product_id, a.location, a.month, a.variation, b.variation AS next_variation
FROM months a JOIN months b ON b.product_id = a.product_id AND b.location = a.location
     AND b.month = a.month + 1
WHERE a.variation >= 0.5 AND b.variation >= 0.5
ORDER BY a.product_id, a.location, a.month;

-- name: stock_around_a_price_change
-- What lies in stock in the thirty days before and after a price changes?
WITH told AS (
    SELECT product_id, updated_at, price,
           lag(price) OVER (PARTITION BY product_id ORDER BY updated_at) AS before
    FROM products
)
SELECT t.product_id, t.updated_at, t.price / t.before - 1 AS change,
       avg(i.on_hand) FILTER (i.counted_at < t.updated_at) AS stock_before,
       avg(i.on_hand) FILTER (i.counted_at >= t.updated_at) AS stock_after
FROM told t JOIN inventory i ON i.product_id = t.product_id
     AND i.counted_at >= t.updated_at - INTERVAL 30 DAYS
     AND i.counted_at < t.updated_at + INTERVAL 30 DAYS
WHERE t.price <> t.before
GROUP BY ALL ORDER BY t.updated_at, t.product_id;

-- name: return_ratios
-- Who sends much back: orders, units and money returned for those bought, of frequent buyers?
WITH told AS (
    SELECT customer_key,
           count(DISTINCT order_id) FILTER (line_type = 'sale') AS orders,
           count(DISTINCT order_id) FILTER (line_type = 'return') AS returns,
           sum(quantity) FILTER (line_type = 'sale') AS units,
           coalesce(-sum(quantity) FILTER (line_type = 'return'), 0) AS units_back,
           sum(quantity * unit_price) FILTER (line_type = 'sale') AS paid,
           coalesce(-sum(quantity * unit_price) FILTER (line_type = 'return'), 0) AS paid_back
    FROM orders WHERE key_kind = 'customer' AND line_type IN ('sale', 'return')
    GROUP BY customer_key
)
SELECT customer_key, orders, returns, units_back / units AS unit_ratio,
       paid_back / paid AS money_ratio
FROM told WHERE orders >= 3 AND returns >= 1
ORDER BY money_ratio DESC, customer_key;

-- name: bought_again_after_a_return
-- Of the products that were sent back, how many does the customer buy again within sixty days?
WITH returned AS (
    SELECT customer_key, product_id, min(ordered_at) AS returned_at
    FROM orders WHERE line_type = 'return' AND key_kind = 'customer' GROUP BY ALL
), told AS (
    SELECT r.product_id, r.customer_key, count(o.order_id) > 0 AS again
    FROM returned r LEFT JOIN orders o
         ON o.customer_key = r.customer_key AND o.product_id = r.product_id
        AND o.line_type = 'sale' AND o.ordered_at > r.returned_at
        AND o.ordered_at <= r.returned_at + INTERVAL 60 DAYS
    GROUP BY ALL
)
SELECT product_id, count(*) AS customers, count_if(again) AS bought_again
FROM told GROUP BY product_id ORDER BY product_id;

-- name: looked_at_online_bought_by_phone
-- Who looks at a category on the web and orders in it by phone within thirty days?
WITH latest AS (
    SELECT product_id, arg_max(category, updated_at) AS category FROM products GROUP BY product_id
), looks AS (
    SELECT customer_key, category, occurred_at
    FROM clickstream JOIN latest USING (product_id)
    WHERE event_type = 'view' AND key_kind = 'customer'
), calls AS (
    SELECT customer_key, category, ordered_at
    FROM orders JOIN latest USING (product_id)
    WHERE line_type = 'sale' AND channel = 'phone' AND key_kind = 'customer'
)
SELECT category, count(DISTINCT customer_key) AS customers
FROM calls SEMI JOIN looks ON looks.customer_key = calls.customer_key
     AND looks.category = calls.category AND occurred_at < ordered_at
     AND occurred_at >= ordered_at - INTERVAL 30 DAYS
GROUP BY category ORDER BY category;

-- name: customers_who_grew
-- Whose spending grew most from the first half of the time to the second?
WITH span AS (
    SELECT make_timestamp((epoch_us(min(ordered_at)) + epoch_us(max(ordered_at))) // 2) AS middle
    FROM orders WHERE line_type = 'sale'
), halves AS (
    SELECT customer_key,
           coalesce(sum(quantity * unit_price - discount) FILTER (ordered_at < middle), 0) AS early,
           coalesce(sum(quantity * unit_price - discount) FILTER (ordered_at >= middle), 0) AS late
    FROM orders CROSS JOIN span WHERE line_type = 'sale' AND key_kind = 'customer'
    GROUP BY customer_key
)
SELECT customer_key, early, late, late / early AS growth
FROM halves WHERE early > 0 AND late > early ORDER BY growth DESC, customer_key LIMIT 100;

-- name: morning_and_evening
-- How do sales of the morning (7 to 9) compare with those of the evening (19 to 21), by channel?
SELECT channel,
       count(DISTINCT order_id) FILTER (hour(ordered_at) BETWEEN 7 AND 8) AS morning,
       count(DISTINCT order_id) FILTER (hour(ordered_at) BETWEEN 19 AND 20) AS evening,
       morning / evening AS ratio
FROM orders WHERE line_type = 'sale' GROUP BY channel ORDER BY channel;

-- name: promoted_share
-- Which share of a category's revenue is made with products while they are promoted?
WITH latest AS (
    SELECT product_id, arg_max(category, updated_at) AS category FROM products GROUP BY product_id
), sold AS (
    SELECT o.customer_key, o.order_id, o.line_no, category,
           quantity * unit_price - discount AS amount,
           EXISTS (
               SELECT 1 FROM promotions p WHERE p.product_id = o.product_id
               AND o.ordered_at BETWEEN p.starts_at AND p.ends_at
           ) AS promoted
    FROM orders o JOIN latest USING (product_id) WHERE line_type = 'sale'
)
SELECT category, sum(amount) AS revenue,
       coalesce(sum(amount) FILTER (promoted), 0) / sum(amount) AS promoted
FROM sold GROUP BY category ORDER BY category;

-- name: who_comes_back
-- Of those who first bought in a month, which share buys again in each later one that is over?
WITH told AS (
    SELECT customer_key, order_id, date_trunc('month', ordered_at) AS month,
           min(date_trunc('month', ordered_at)) OVER (PARTITION BY customer_key) AS cohort
    FROM orders WHERE line_type = 'sale' AND key_kind = 'customer'
), running AS (
    SELECT max(month) AS month FROM told
), cells AS (
    SELECT cohort, told.month, count(DISTINCT customer_key) AS customers
    FROM told, running WHERE told.month < running.month GROUP BY ALL
), grid AS (
    SELECT c.cohort, c.customers AS cohort_customers, m.month
    FROM cells c, (SELECT DISTINCT month FROM cells) m
    WHERE c.cohort = c.month AND m.month >= c.cohort
)
SELECT g.cohort, date_diff('month', g.cohort, g.month) AS periods_later, g.cohort_customers,
       coalesce(c.customers, 0) AS customers,
       coalesce(c.customers, 0) / g.cohort_customers AS share
FROM grid g LEFT JOIN cells c ON c.cohort = g.cohort AND c.month = g.month
ORDER BY g.cohort, g.month;
