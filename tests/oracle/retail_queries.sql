-- What a retail analyst asks a lake, in plain SQL. The lines before a query are its name and the
-- question; tests/retail_answers.py answers the same with Dask frames.

-- name: revenue_by_month_and_channel
-- What was sold in each month through each channel?
SELECT strftime(ordered_at, '%Y-%m') AS month, channel, count(DISTINCT order_id) AS orders,
       sum(quantity) AS units, sum(quantity * unit_price - discount) AS revenue
FROM orders WHERE line_type = 'sale'
GROUP BY ALL ORDER BY month, channel;

-- name: basket_by_channel
-- How large is a basket: lines, units and value of an order, on average?
WITH baskets AS (
    SELECT channel, order_id, count(*) AS lines, sum(quantity) AS units,
           sum(quantity * unit_price - discount) AS value
    FROM orders WHERE line_type = 'sale' GROUP BY ALL
)
SELECT channel, count(*) AS orders, avg(lines) AS lines, avg(units) AS units, avg(value) AS value
FROM baskets GROUP BY channel ORDER BY channel;

-- name: top_products
-- Which ten products bring most money? Ties in order of their ids.
SELECT product_id, sum(quantity * unit_price - discount) AS revenue, sum(quantity) AS units
FROM orders WHERE line_type = 'sale'
GROUP BY product_id ORDER BY revenue DESC, product_id LIMIT 10;

-- name: best_seller_of_each_category
-- Which product sells most units in each category? Ties in order of their ids.
WITH latest AS (
    SELECT product_id, arg_max(category, updated_at) AS category FROM products GROUP BY product_id
), sold AS (
    SELECT category, product_id, sum(quantity) AS units
    FROM orders JOIN latest USING (product_id) WHERE line_type = 'sale' GROUP BY ALL
)
SELECT category, product_id, units FROM sold
QUALIFY row_number() OVER (PARTITION BY category ORDER BY units DESC, product_id) = 1
ORDER BY category;

-- name: returning_customers_by_month
-- Of the customers who bought in a month, how many had bought in an earlier one?
WITH months AS (
    SELECT DISTINCT customer_key, strftime(ordered_at, '%Y-%m') AS month
    FROM orders WHERE line_type = 'sale' AND key_kind = 'customer'
), told AS (
    SELECT month, month > min(month) OVER (PARTITION BY customer_key) AS came_back FROM months
)
SELECT month, count(*) AS customers, count_if(came_back) AS returning,
       count_if(came_back) / count(*) AS share
FROM told GROUP BY month ORDER BY month;

-- name: cohort_retention
-- How many of those who first bought in a week buy again, and how many weeks later?
WITH weeks AS (
    SELECT DISTINCT customer_key, date_trunc('week', ordered_at) AS week
    FROM orders WHERE line_type = 'sale' AND key_kind = 'customer'
), told AS (
    SELECT week, min(week) OVER (PARTITION BY customer_key) AS cohort FROM weeks
)
SELECT cohort, date_diff('week', cohort, week) AS weeks_later, count(*) AS customers
FROM told GROUP BY ALL ORDER BY cohort, weeks_later;

-- name: days_between_orders
-- How many whole days lie between an order and the customer's next one?
WITH placed AS (
    SELECT customer_key, order_id, min(ordered_at) AS ordered_at
    FROM orders WHERE line_type = 'sale' AND key_kind = 'customer' GROUP BY ALL
), gaps AS (
    SELECT epoch_us(ordered_at - lag(ordered_at) OVER (
        PARTITION BY customer_key ORDER BY ordered_at, order_id
    )) // 86400000000 AS days
    FROM placed
)
SELECT days, count(*) AS gaps FROM gaps WHERE days IS NOT NULL GROUP BY days ORDER BY days;

-- name: discount_share_by_category
-- Which share of the list value is given away, by month and category?
WITH latest AS (
    SELECT product_id, arg_max(category, updated_at) AS category FROM products GROUP BY product_id
)
SELECT strftime(ordered_at, '%Y-%m') AS month, category, sum(discount) AS discount,
       sum(discount) / sum(quantity * unit_price) AS share
FROM orders JOIN latest USING (product_id) WHERE line_type = 'sale'
GROUP BY ALL ORDER BY month, category;

-- name: return_rate_by_category
-- Of the units that were sold, how many came back?
WITH latest AS (
    SELECT product_id, arg_max(category, updated_at) AS category FROM products GROUP BY product_id
)
SELECT category, sum(quantity) FILTER (line_type = 'sale') AS sold,
       coalesce(-sum(quantity) FILTER (line_type = 'return'), 0) AS returned,
       returned / sold AS rate
FROM orders JOIN latest USING (product_id)
GROUP BY category ORDER BY category;

-- name: cancelled_orders_by_country
-- Which share of a country's orders was cancelled?
WITH told AS (
    SELECT country, order_id, bool_or(line_type = 'cancelled') AS cancelled
    FROM orders GROUP BY ALL
)
SELECT country, count(*) AS orders, count_if(cancelled) AS cancelled,
       count_if(cancelled) / count(*) AS share
FROM told GROUP BY country ORDER BY country;

-- name: order_value_quantiles_by_country
-- What is an order worth: the median, and the value that one in ten exceeds?
WITH baskets AS (
    SELECT country, order_id, sum(quantity * unit_price - discount) AS value
    FROM orders WHERE line_type = 'sale' GROUP BY ALL
)
SELECT country, count(*) AS orders, quantile_cont(value::DOUBLE, 0.5) AS median,
       quantile_cont(value::DOUBLE, 0.9) AS p90
FROM baskets GROUP BY country ORDER BY country;

-- name: orders_by_weekday_and_hour
-- When do people order? Monday is 0; hours are UTC.
SELECT isodow(ordered_at) - 1 AS weekday, hour(ordered_at) AS hour,
       count(DISTINCT order_id) AS orders
FROM orders WHERE line_type = 'sale' GROUP BY ALL ORDER BY weekday, hour;

-- name: delivery_time_by_country
-- How long does a parcel take, and how many took more than five days? Only this year's dates.
WITH parcels AS (
    SELECT DISTINCT country, order_id, epoch_us(delivered_at - ordered_at) / 3.6e9 AS hours
    FROM orders WHERE line_type = 'sale' AND delivered_at < TIMESTAMP '2027-01-01'
)
SELECT country, count(*) AS parcels, avg(hours) AS hours, count_if(hours > 120) AS slow
FROM parcels GROUP BY country ORDER BY country;

-- name: bought_together
-- Which ten pairs of products are most often in one order?
WITH bought AS (SELECT DISTINCT order_id, product_id FROM orders WHERE line_type = 'sale')
SELECT a.product_id AS product_id, b.product_id AS other_id, count(*) AS orders
FROM bought a JOIN bought b ON a.order_id = b.order_id AND a.product_id < b.product_id
GROUP BY ALL ORDER BY orders DESC, product_id, other_id LIMIT 10;

-- name: revenue_of_seven_days
-- What came in on each day with sales, and in the seven calendar days up to it?
WITH days AS (
    SELECT date_trunc('day', ordered_at) AS day, sum(quantity * unit_price - discount) AS revenue
    FROM orders WHERE line_type = 'sale' GROUP BY ALL
)
SELECT day, revenue, sum(revenue) OVER (
    ORDER BY day RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW
) AS of_seven_days
FROM days ORDER BY day;

-- name: revenue_by_decile_of_customers
-- How much of the money do the best tenth of the customers bring, and the other tenths?
WITH spent AS (
    SELECT customer_key, sum(quantity * unit_price - discount) AS revenue
    FROM orders WHERE line_type = 'sale' AND key_kind = 'customer' GROUP BY ALL
), ranked AS (
    SELECT revenue, (row_number() OVER (ORDER BY revenue DESC, customer_key) - 1) * 10
                    // count(*) OVER () AS decile
    FROM spent
)
SELECT decile, count(*) AS customers, sum(revenue) AS revenue,
       sum(revenue) / sum(sum(revenue)) OVER () AS share
FROM ranked GROUP BY decile ORDER BY decile;

-- name: guests_by_month
-- How many orders are placed without an account?
SELECT strftime(ordered_at, '%Y-%m') AS month,
       count(DISTINCT order_id) FILTER (key_kind = 'guest') AS of_guests,
       count(DISTINCT order_id) AS orders
FROM orders WHERE line_type = 'sale' GROUP BY ALL ORDER BY month;

-- name: dormant_customers
-- Who bought before, but not in the last thirty days of June?
SELECT customer_key, max(ordered_at) AS last_ordered_at,
       sum(quantity * unit_price - discount) AS revenue
FROM orders WHERE line_type = 'sale' AND key_kind = 'customer'
GROUP BY customer_key HAVING last_ordered_at < TIMESTAMP '2026-06-01'
ORDER BY revenue DESC, customer_key;

-- name: customers_without_orders
-- How many of those who signed up in a month never ordered? Under an account, whatever the line.
WITH latest AS (
    SELECT customer_key, arg_max(signed_up_at, updated_at) AS signed_up_at
    FROM customers GROUP BY customer_key
)
SELECT strftime(signed_up_at, '%Y-%m') AS month, count(*) AS customers,
       count_if(customer_key NOT IN (SELECT customer_key FROM orders)) AS without_orders
FROM latest GROUP BY ALL ORDER BY month;

-- name: consent_by_country_in_june
-- Who might be written to when June began, as the accounts were then?
WITH june AS (
    SELECT * FROM customers WHERE updated_at <= TIMESTAMP '2026-06-01'
    QUALIFY row_number() OVER (PARTITION BY customer_key ORDER BY updated_at DESC) = 1
)
SELECT country, count(*) AS customers, count_if(marketing_consent) AS consenting
FROM june GROUP BY country ORDER BY country;

-- name: value_by_first_channel
-- Do customers whose first order came through one channel spend more later?
WITH sales AS (
    SELECT *, first_value(channel) OVER (
        PARTITION BY customer_key ORDER BY ordered_at, order_id, line_no
    ) AS first_channel
    FROM orders WHERE line_type = 'sale' AND key_kind = 'customer'
)
SELECT first_channel, count(DISTINCT customer_key) AS customers,
       sum(quantity * unit_price - discount) AS revenue, revenue / customers AS of_each
FROM sales GROUP BY first_channel ORDER BY first_channel;

-- name: price_changes
-- Which products changed their price, and by how much?
WITH told AS (
    SELECT product_id, updated_at, price,
           lag(price) OVER (PARTITION BY product_id ORDER BY updated_at) AS before
    FROM products
)
SELECT product_id, updated_at, before, price, price / before - 1 AS change
FROM told WHERE price <> before ORDER BY updated_at, product_id;

-- name: sold_at_list_price
-- How many units went at the list price of their moment, below it and above it?
SELECT CASE WHEN o.unit_price = p.price THEN 'at'
            WHEN o.unit_price < p.price THEN 'below' ELSE 'above' END AS sold,
       count(*) AS lines, sum(o.quantity) AS units
FROM orders o ASOF JOIN products p
     ON o.product_id = p.product_id AND o.ordered_at >= p.updated_at
WHERE o.line_type = 'sale' GROUP BY ALL ORDER BY sold;

-- name: promotion_uplift
-- How many units a day does a promoted product sell meanwhile, and in the fourteen days before?
WITH told AS (
    SELECT p.product_id, p.starts_at, epoch_us(p.ends_at - p.starts_at) / 8.64e10 AS days,
           count(*) FILTER (o.ordered_at >= p.starts_at) AS lines,
           coalesce(sum(o.quantity) FILTER (o.ordered_at >= p.starts_at), 0) AS meanwhile,
           coalesce(sum(o.quantity) FILTER (o.ordered_at < p.starts_at), 0) AS before
    FROM promotions p JOIN orders o
         ON o.product_id = p.product_id AND o.line_type = 'sale'
        AND o.ordered_at BETWEEN p.starts_at - INTERVAL 14 DAYS AND p.ends_at
    GROUP BY ALL
)
SELECT product_id, starts_at, lines, meanwhile / days AS daily_meanwhile,
       before / 14 AS daily_before
FROM told ORDER BY product_id, starts_at;

-- name: margin_by_product
-- What is left of the money when the goods are paid at their last known cost?
WITH cost AS (
    SELECT product_id, arg_max(unit_cost, counted_at) AS unit_cost
    FROM inventory WHERE location = 'Leipzig' GROUP BY product_id
)
SELECT product_id, sum(quantity * unit_price - discount) AS revenue,
       sum(quantity * unit_price - discount - quantity * unit_cost) AS margin
FROM orders JOIN cost USING (product_id) WHERE line_type = 'sale'
GROUP BY product_id ORDER BY margin DESC, product_id;

-- name: stock_to_reorder
-- Where does the stock not last until new goods are there, at the pace of the last four weeks?
WITH stock AS (
    SELECT * FROM inventory
    QUALIFY row_number() OVER (PARTITION BY product_id, location ORDER BY counted_at DESC) = 1
), pace AS (
    SELECT product_id, sum(quantity) / 28 AS daily_units
    FROM orders
    WHERE line_type = 'sale' AND ordered_at >= TIMESTAMP '2026-06-03'
      AND ordered_at < TIMESTAMP '2026-07-01'
    GROUP BY product_id
)
SELECT product_id, location, on_hand + on_order AS units,
       daily_units * (lead_time_days + 2 * lead_time_days_spread) AS needed
FROM stock JOIN pace USING (product_id)
WHERE units < needed ORDER BY product_id, location;

-- name: stock_value_by_supplier
-- How much money lies in each warehouse at the last count, by supplier?
WITH stock AS (
    SELECT * FROM inventory
    QUALIFY row_number() OVER (PARTITION BY product_id, location ORDER BY counted_at DESC) = 1
)
SELECT location, supplier, count(*) AS products, sum(on_hand * unit_cost) AS value
FROM stock GROUP BY ALL ORDER BY location, supplier;

-- name: conversion_by_device
-- Of those who looked at a product, how many bought something on the same kind of device?
WITH people AS (
    SELECT device, customer_key, bool_or(event_type = 'view') AS viewed,
           bool_or(event_type = 'purchase') AS purchased
    FROM clickstream GROUP BY ALL
)
SELECT device, count(*) AS viewers, count_if(purchased) AS buyers,
       count_if(purchased) / count(*) AS conversion
FROM people WHERE viewed GROUP BY device ORDER BY device;

-- name: funnel_by_channel
-- How many people take each step, by the channel that they come through?
SELECT channel, event_type, count(DISTINCT customer_key) AS people, count(*) AS events
FROM clickstream WHERE event_type IN ('view', 'cart', 'checkout', 'purchase')
GROUP BY ALL ORDER BY channel, event_type;

-- name: abandoned_carts
-- Which products are put into carts and not bought by the same person later?
WITH told AS (
    SELECT customer_key, product_id, min(occurred_at) FILTER (event_type = 'cart') AS carted_at,
           max(occurred_at) FILTER (event_type = 'purchase') AS bought_at
    FROM clickstream WHERE product_id IS NOT NULL GROUP BY ALL
)
SELECT product_id, count(*) AS carts,
       count_if(bought_at IS NULL OR bought_at < carted_at) AS abandoned
FROM told WHERE carted_at IS NOT NULL GROUP BY product_id ORDER BY product_id;

-- name: views_before_first_purchase
-- How many views of products come before a person's first purchase?
WITH firsts AS (
    SELECT customer_key, min(occurred_at) AS bought_at
    FROM clickstream WHERE event_type = 'purchase' GROUP BY customer_key
), told AS (
    SELECT f.customer_key, count(c.event_id) AS views
    FROM firsts f LEFT JOIN clickstream c
         ON c.customer_key = f.customer_key AND c.event_type = 'view'
        AND c.occurred_at < f.bought_at
    GROUP BY f.customer_key
)
SELECT views, count(*) AS people FROM told GROUP BY views ORDER BY views;

-- name: mood_by_product
-- How are products rated, and how many ratings are bad?
SELECT product_id, count(*) AS reviews, avg(rating) AS rating, count_if(rating <= 2) AS bad
FROM reviews GROUP BY product_id ORDER BY rating, product_id;

-- name: sold_but_never_reviewed
-- Which products that sell has nobody said anything about?
SELECT product_id, sum(quantity) AS units
FROM orders ANTI JOIN reviews USING (product_id) WHERE line_type = 'sale'
GROUP BY product_id ORDER BY units DESC, product_id;

-- name: support_load_by_product
-- How many cases does a product make for a hundred units sold?
WITH cases AS (
    SELECT product_id, count(DISTINCT case_id) AS cases
    FROM support WHERE product_id IS NOT NULL GROUP BY product_id
), sold AS (
    SELECT product_id, sum(quantity) AS units
    FROM orders WHERE line_type = 'sale' GROUP BY product_id
)
SELECT product_id, units, coalesce(cases, 0) AS cases, 100 * coalesce(cases, 0) / units AS load
FROM sold LEFT JOIN cases USING (product_id) ORDER BY load DESC, product_id;

-- name: time_to_resolve_by_topic
-- How long does a case take, and how many messages?
WITH cases AS (
    SELECT topic, case_id, count(*) AS messages,
           epoch_us(max(resolved_at) - min(opened_at)) / 3.6e9 AS hours
    FROM support GROUP BY ALL
)
SELECT topic, count(*) AS cases, avg(messages) AS messages, median(hours) AS hours
FROM cases GROUP BY topic ORDER BY topic;
