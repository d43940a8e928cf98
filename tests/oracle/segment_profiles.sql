-- The numbers of segment_profiles, from tables `features`, `segments` and `previous`, the profiles
-- of the run before.
SELECT
    segment,
    any_value(as_of) AS as_of,
    count(*) AS customers,
    count(*) / sum(count(*)) OVER () AS customer_share,
    coalesce(sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0), 0) AS revenue_share,
    median(days_since_last_order) AS days_since_last_order,
    median(tenure_days) AS tenure_days,
    avg(orders) AS orders,
    avg(average_order) AS average_order,
    avg(revenue) AS revenue,
    avg(return_rate) AS return_rate,
    any_value(currency) AS currency,
    avg(discount_share) AS discount_share,
    CASE
        WHEN exists(FROM previous)
            THEN coalesce(any_value(then_customers), 0)
    END AS customers_before,
    count(*) / nullif(any_value(then_customers), 0) - 1 AS growth
FROM features JOIN segments USING (customer_key)
    LEFT JOIN (SELECT segment, customers AS then_customers FROM previous) USING (segment)
GROUP BY segment
ORDER BY segment
