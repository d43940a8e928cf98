-- The table funnel_daily of the table sessions. Parameter: time_zone.
WITH people AS (
    SELECT *,
        CAST(date_trunc('day', started_at AT TIME ZONE 'UTC' AT TIME ZONE $time_zone) AS TIMESTAMP)
            AS day,
        coalesce(channel, 'unknown') AS way_in,
        coalesce(device, 'unknown') AS machine,
        CASE
            WHEN purchases > 0 THEN 4 WHEN checkouts > 0 THEN 3 WHEN carts > 0 THEN 2
            WHEN views > 0 THEN 1 ELSE 0
        END AS reached
    FROM sessions
    WHERE excluded_for IS NULL
),
counted AS (
    SELECT day, way_in AS channel, machine AS device, count(*) AS sessions,
        count(*) FILTER (bounced) AS bounced,
        count(*) FILTER (reached >= 1) AS viewed,
        count(*) FILTER (reached >= 2) AS carted,
        count(*) FILTER (reached >= 3) AS checked_out,
        count(*) FILTER (reached >= 4) AS purchased,
        sum(views) AS views, sum(purchases) AS purchases,
        CASE WHEN count(DISTINCT currency) <= 1 THEN sum(revenue) ELSE 0 END AS revenue,
        CASE WHEN count(DISTINCT currency) = 1 THEN min(currency) END AS currency
    FROM people
    GROUP BY ALL
)
SELECT day, channel, device, sessions, bounced, viewed, carted, checked_out, purchased,
    carted - purchased AS abandoned_carts, views, purchases, revenue, currency,
    bounced / sessions AS bounce_rate,
    purchased / sessions AS conversion_rate,
    (carted - purchased) / nullif(carted, 0) AS cart_abandonment_rate,
    views / sessions AS pages_per_session
FROM counted
ORDER BY day, channel, device
