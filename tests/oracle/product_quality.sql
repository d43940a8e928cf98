-- product_quality as of $as_of, weeks in UTC, from the tables lines (entry errors cancelled
-- already), cases, texts and categories (product_id, category).
WITH counted AS (
    SELECT product_id, ordered_at AS moment,
        CASE WHEN line_type = 'sale' THEN quantity ELSE 0 END AS sold,
        CASE WHEN line_type = 'return' THEN -quantity ELSE 0 END AS returned,
        0 AS contacts, 0 AS texts, 0 AS negative
    FROM lines WHERE line_type IN ('sale', 'return')
    UNION ALL
    SELECT product_id, opened_at, 0, 0, 1, 0, 0 FROM cases
    UNION ALL
    SELECT product_id, created_at, 0, 0, 0, 1, (label = 'negative')::INT FROM texts
),
weekly AS (
    SELECT c.product_id, date_trunc('week', moment)::TIMESTAMP AS week,
        any_value(k.category) AS category,
        sum(sold) AS sold, sum(returned) AS returned, sum(contacts) AS contacts,
        sum(texts) AS texts, sum(negative) AS negative
    FROM counted c LEFT JOIN categories k ON k.product_id = c.product_id
    WHERE moment <= $as_of AND c.product_id IS NOT NULL
    GROUP BY c.product_id, week
),
looked_back AS (
    SELECT w.product_id, w.week, w.category, any_value(w.sold) AS sold_now,
        any_value(w.returned) AS returned_now, any_value(w.contacts) AS contacts_now,
        any_value(w.texts) AS texts_now, any_value(w.negative) AS negative_now,
        sum(b.sold) FILTER (b.product_id = w.product_id) AS sold,
        sum(b.returned) FILTER (b.product_id = w.product_id) AS returned,
        sum(b.contacts) FILTER (b.product_id = w.product_id) AS contacts,
        sum(b.texts) FILTER (b.product_id = w.product_id) AS texts,
        sum(b.negative) FILTER (b.product_id = w.product_id) AS negative,
        sum(b.sold) FILTER (b.category = w.category) AS all_sold,
        sum(b.returned) FILTER (b.category = w.category) AS all_returned,
        sum(b.contacts) FILTER (b.category = w.category) AS all_contacts,
        sum(b.texts) FILTER (b.category = w.category) AS all_texts,
        sum(b.negative) FILTER (b.category = w.category) AS all_negative
    FROM weekly w
    JOIN weekly b ON b.week <= w.week AND b.week > w.week - INTERVAL 13 WEEKS
    GROUP BY w.product_id, w.week, w.category
),
shares AS (
    SELECT *, least(returned, sold) / nullif(sold, 0) AS share, 1.959963984540054 ** 2 AS zz
    FROM looked_back
)
SELECT
    product_id, week, category, sold_now AS units_sold, returned_now AS units_returned,
    contacts_now AS contacts, texts_now AS texts, negative_now AS negative_texts,
    sold AS units_sold_last_13_weeks, returned AS units_returned_last_13_weeks,
    returned / nullif(greatest(sold, 0), 0) AS return_rate,
    CASE share WHEN 0 THEN 0 ELSE
        (share + zz / (2 * sold) - sqrt(zz * (share * (1 - share) / sold + zz / (4 * sold ** 2))))
        / (1 + zz / sold) END AS return_rate_low,
    CASE share WHEN 1 THEN 1 ELSE
        (share + zz / (2 * sold) + sqrt(zz * (share * (1 - share) / sold + zz / (4 * sold ** 2))))
        / (1 + zz / sold) END AS return_rate_high,
    1000 * contacts / nullif(greatest(sold, 0), 0) AS contacts_per_1000_sold,
    negative / nullif(texts, 0) AS negative_share,
    all_returned / nullif(greatest(all_sold, 0), 0) AS category_return_rate,
    1000 * all_contacts / nullif(greatest(all_sold, 0), 0) AS category_contacts_per_1000_sold,
    all_negative / nullif(all_texts, 0) AS category_negative_share
FROM shares
ORDER BY product_id, week
