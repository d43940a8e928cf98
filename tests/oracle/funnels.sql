-- Journeys view -> cart -> purchase, in order, of the table events (customer_key, occurred_at,
-- event_type, channel), counted by entry day and channel. A "remove" between two steps ends one.
-- Parameters, in microseconds: as_of, within, and cart_within and purchase_within since the step
-- before.
WITH placed AS (
    SELECT customer_key, epoch_us(occurred_at) AS moment, event_type AS kind, channel,
        row_number() OVER (
            PARTITION BY customer_key
            ORDER BY
                occurred_at,
                CASE event_type
                    WHEN 'view' THEN 1 WHEN 'cart' THEN 2 WHEN 'purchase' THEN 3 ELSE 4
                END,
                channel NULLS LAST
        ) AS place
    FROM events
    WHERE event_type IN ('view', 'cart', 'purchase', 'remove') AND epoch_us(occurred_at) <= $as_of
),
removed AS (
    SELECT customer_key, place FROM placed WHERE kind = 'remove'
),
steps AS (
    -- Both of a pair of events, one of each step, with nothing removed between them.
    SELECT a.customer_key, a.kind AS from_kind, a.place AS from_place, a.moment AS from_at,
        b.kind AS to_kind, b.place AS to_place, b.moment AS to_at
    FROM placed a
    JOIN placed b ON b.customer_key = a.customer_key AND b.place > a.place
    WHERE NOT EXISTS (
        SELECT 1 FROM removed r
        WHERE r.customer_key = a.customer_key AND r.place BETWEEN a.place AND b.place
    )
),
carted AS (
    SELECT *, from_place AS entry, from_at AS entered_at
    FROM steps
    WHERE from_kind = 'view' AND to_kind = 'cart'
        AND to_at - from_at <= least($within, $cart_within)
),
bought AS (
    SELECT c.customer_key, c.entry, c.entered_at, c.to_place AS cart, c.to_at AS cart_at,
        s.to_place AS purchase, s.to_at AS purchase_at
    FROM carted c
    JOIN steps s ON s.customer_key = c.customer_key AND s.from_place = c.to_place
    WHERE s.from_kind = 'cart' AND s.to_kind = 'purchase'
        AND s.to_at - c.to_at <= $purchase_within AND s.to_at - c.entered_at <= $within
),
attempts AS (
    SELECT customer_key, moment AS entered_at, place AS entry, channel,
        1 AS depth, NULL AS cart, NULL AS cart_at, NULL AS purchase, NULL AS purchase_at
    FROM placed WHERE kind = 'view'
    UNION ALL
    SELECT c.customer_key, c.entered_at, c.entry, p.channel, 2, c.to_place, c.to_at, NULL, NULL
    FROM carted c JOIN placed p ON p.customer_key = c.customer_key AND p.place = c.entry
    UNION ALL
    SELECT b.customer_key, b.entered_at, b.entry, p.channel,
        3, b.cart, b.cart_at, b.purchase, b.purchase_at
    FROM bought b JOIN placed p ON p.customer_key = b.customer_key AND p.place = b.entry
),
judged AS (
    SELECT a.*,
        depth < 3
        AND $as_of - entered_at < $within
        AND CASE depth WHEN 1 THEN $as_of - entered_at < $cart_within
            ELSE $as_of - cart_at < $purchase_within END
        AND NOT EXISTS (
            SELECT 1 FROM removed r
            WHERE r.customer_key = a.customer_key AND r.place > coalesce(a.cart, a.entry)
        ) AS may_go_on,
        make_timestamp(entered_at)::DATE AS day
    FROM attempts a
),
journeys AS (
    SELECT *, bool_or(may_go_on) OVER journey AS is_open
    FROM judged
    WINDOW journey AS (PARTITION BY customer_key, day)
    QUALIFY row_number() OVER (
        PARTITION BY customer_key, day ORDER BY depth DESC, entry, cart, purchase
    ) = 1
),
counted AS (
    SELECT day, channel, step, count(*) AS entries,
        count(*) FILTER (depth >= step) AS reached,
        avg(CASE step WHEN 2 THEN cart_at - entered_at WHEN 3 THEN purchase_at - cart_at END)
            / 1e6 AS mean_seconds,
        median(CASE step WHEN 2 THEN cart_at - entered_at WHEN 3 THEN purchase_at - cart_at END)
            / 1e6 AS median_seconds,
        count(*) FILTER (depth < step AND depth < 3 AND is_open) AS censored
    FROM journeys, (VALUES (1), (2), (3)) AS s(step)
    GROUP BY day, channel, step
)
SELECT day AS entry_day, channel, step,
    ['view', 'cart', 'purchase'][step] AS name, entries, reached,
    reached / entries AS share_of_entries,
    CASE step WHEN 1 THEN 1.0 ELSE reached / nullif(
        lag(reached) OVER (PARTITION BY day, channel ORDER BY step), 0) END AS share_of_previous,
    mean_seconds, median_seconds, censored
FROM counted
ORDER BY day, channel NULLS LAST, step
