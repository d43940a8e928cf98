-- What the paths to purchases come to, from the tables events (as for paths.sql) and paths, which
-- also have the row of their purchase.
WITH purchases AS (
    SELECT row, product_id FROM events WHERE event_type = 'purchase' AND product_id IS NOT NULL
),
told AS (
    SELECT
        p.row,
        any_value(p.product_id) AS product_id,
        count(v.row) AS views,
        min(v.seconds_before) FILTER (v.is_same_product) AS own_seconds
    FROM purchases p LEFT JOIN paths v ON v.row = p.row
    GROUP BY p.row
)
SELECT
    product_id,
    count(*) AS purchases,
    count_if(views > 0) AS after_views,
    sum(views)::BIGINT AS views,
    count(own_seconds) AS after_own_views,
    median(own_seconds) AS median_seconds
FROM told GROUP BY product_id ORDER BY product_id;
