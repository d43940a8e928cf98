-- The numbers of segment_traits, from tables `features` (customer_key, feature, value, and point,
-- the prepared value in standard deviations) and `segments`.
WITH told AS (
    SELECT
        segment, feature, median(value) AS value, any_value(usual) AS usual,
        avg(point) - any_value(usual_point) AS effect
    FROM (
        SELECT
            *,
            median(value) OVER (PARTITION BY feature) AS usual,
            avg(point) OVER (PARTITION BY feature) AS usual_point
        FROM features
    ) JOIN segments USING (customer_key)
    GROUP BY segment, feature
)
SELECT *, row_number() OVER (PARTITION BY segment ORDER BY abs(effect) DESC, feature) AS rank
FROM told
ORDER BY segment, rank
