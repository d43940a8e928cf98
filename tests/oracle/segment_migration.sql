-- The rows of segment_migration, from tables `earlier` and `later`: customer_key, segment, name.
SELECT
    coalesce(earlier.segment, -2) AS from_segment,
    coalesce(later.segment, -2) AS to_segment,
    coalesce(any_value(earlier.name), 'not there before') AS from_name,
    coalesce(any_value(later.name), 'no longer there') AS to_name,
    count(*) AS customers,
    count(*) / sum(count(*)) OVER (PARTITION BY from_segment) AS share_of_from
FROM earlier FULL JOIN later USING (customer_key)
GROUP BY from_segment, to_segment
ORDER BY from_segment, to_segment
