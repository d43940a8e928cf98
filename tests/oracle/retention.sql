-- Who comes back, from the table lines (customer_key, ordered_at, order_id, amount).
-- Parameters: period ('month' or 'week') and as_of.
WITH known AS (
    SELECT *, date_trunc($period, ordered_at) AS period FROM lines WHERE ordered_at <= $as_of
),
told AS (
    SELECT *,
        min(period) OVER (PARTITION BY customer_key) AS cohort,
        min(period) OVER (PARTITION BY customer_key, order_id) AS order_period
    FROM known
),
cells AS (
    SELECT
        cohort,
        period,
        count(DISTINCT customer_key) AS customers,
        count(DISTINCT (customer_key, order_id)) FILTER (period = order_period) AS orders,
        sum(amount)::BIGINT AS revenue
    FROM told GROUP BY ALL
),
over AS (SELECT * FROM cells WHERE period < date_trunc($period, $as_of::TIMESTAMP)),
cohorts AS (SELECT cohort, customers FROM over WHERE period = cohort),
grid AS (
    SELECT
        cohort,
        customers AS cohort_customers,
        unnest(generate_series(
            cohort,
            date_trunc($period, $as_of::TIMESTAMP) - INTERVAL 1 DAY,
            CASE $period WHEN 'week' THEN INTERVAL 7 DAYS ELSE INTERVAL 1 MONTH END
        )) AS period
    FROM cohorts
)
SELECT
    g.cohort,
    date_diff($period, g.cohort, g.period) AS periods_later,
    g.cohort_customers,
    coalesce(o.customers, 0) AS customers,
    coalesce(o.customers, 0) / g.cohort_customers AS share,
    coalesce(o.orders, 0) AS orders,
    coalesce(o.revenue, 0) AS revenue
FROM grid g LEFT JOIN over o ON o.cohort = g.cohort AND o.period = g.period
ORDER BY g.cohort, g.period;
