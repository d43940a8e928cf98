-- The last views of sessions with a cart and no purchase, from the table events (session_id,
-- occurred_at, event_type, product_id). Parameter: last.
WITH ended AS (
    SELECT session_id, max(occurred_at) AS ended_at
    FROM events GROUP BY session_id
    HAVING bool_or(event_type = 'cart') AND NOT bool_or(event_type = 'purchase')
),
numbered AS (
    SELECT
        session_id,
        ended_at,
        row_number() OVER (
            PARTITION BY session_id ORDER BY occurred_at DESC, product_id NULLS LAST
        ) AS position,
        product_id,
        (epoch_us(ended_at) - epoch_us(occurred_at)) / 1e6 AS seconds_before
    FROM events JOIN ended USING (session_id)
    WHERE event_type = 'view'
)
SELECT * FROM numbered WHERE position <= $last ORDER BY session_id, position;
