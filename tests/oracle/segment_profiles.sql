-- The numbers of segment_profiles, from tables `features` and `segments`.
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
    any_value(currency) AS currency
FROM features JOIN segments USING (customer_key)
GROUP BY segment
ORDER BY segment
