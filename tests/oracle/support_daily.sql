-- support_daily of the table cases, days in UTC.
WITH named AS (
    SELECT * REPLACE (
        coalesce(channel, 'unknown') AS channel, coalesce(topic, 'unknown') AS topic
    )
    FROM cases
),
moves AS (
    SELECT date_trunc('day', opened_at) AS day, channel, topic, 1 AS opened, 0 AS resolved,
        NULL AS hours, mood
    FROM named
    UNION ALL
    SELECT date_trunc('day', resolved_at), channel, topic, 0, 1, hours_to_resolve, NULL
    FROM named
    WHERE resolved_at IS NOT NULL
)
SELECT
    day::TIMESTAMP AS day, channel, topic, sum(opened) AS opened, sum(resolved) AS resolved,
    sum(sum(opened) - sum(resolved)) OVER (
        PARTITION BY channel, topic ORDER BY day
    ) AS open_cases,
    avg(hours) AS mean_hours_to_resolve, avg(mood) AS mood
FROM moves
GROUP BY day, channel, topic
ORDER BY day, channel, topic
