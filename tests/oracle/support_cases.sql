-- support_cases as of $as_of, from the tables messages and moods (text_id, positive, negative, intent).
WITH sent AS (
    SELECT * REPLACE (
        least(opened_at, sent_at) AS opened_at,
        CASE WHEN resolved_at <= $as_of THEN resolved_at END AS resolved_at
    )
    FROM messages
    WHERE sent_at <= $as_of
),
opening AS (
    SELECT *
    FROM sent
    QUALIFY row_number() OVER (
        PARTITION BY customer_key, case_id ORDER BY sent_at, message_id
    ) = 1
),
whole AS (
    SELECT customer_key, case_id, min(opened_at) AS opened_at, max(sent_at) AS last_message_at,
        count(*) AS messages, max(resolved_at) AS resolved_at
    FROM sent
    GROUP BY customer_key, case_id
)
SELECT
    w.customer_key, w.case_id, $as_of AS as_of, o.key_kind, o.product_id, o.order_id, o.channel,
    o.topic, w.opened_at, w.last_message_at, w.messages, w.resolved_at,
    w.resolved_at IS NULL AS is_open,
    (epoch_us(w.resolved_at) - epoch_us(w.opened_at)) / 3600e6 AS hours_to_resolve,
    m.intent,
    m.positive - m.negative AS mood
FROM whole w
JOIN opening o ON o.customer_key = w.customer_key AND o.case_id = w.case_id
LEFT JOIN moods m ON m.text_id = o.message_id
ORDER BY w.customer_key, w.case_id
