-- Sessions of the table events (customer_key, occurred_at, event_type, product_id, channel,
-- device, price, currency: one for all purchases) in plain SQL. Parameters: gap and longest in microseconds, most_events.
WITH RECURSIVE moments AS (
    SELECT customer_key, occurred_at, count(*) AS events
    FROM events
    GROUP BY customer_key, occurred_at
),
paused AS (
    SELECT *, coalesce(
        epoch_us(occurred_at) - epoch_us(lag(occurred_at) OVER customer) > $gap, true
    ) AS is_first
    FROM moments
    WINDOW customer AS (PARTITION BY customer_key ORDER BY occurred_at)
),
stretched AS (
    SELECT *, sum(is_first::INT) OVER (PARTITION BY customer_key ORDER BY occurred_at) AS stretch
    FROM paused
),
counted AS (
    -- Events of the stretch up to and with this moment.
    SELECT *, sum(events) OVER (
        PARTITION BY customer_key, stretch ORDER BY occurred_at
    ) AS so_far
    FROM stretched
),
begun AS (
    SELECT customer_key, stretch, occurred_at AS started_at, so_far - events AS before
    FROM counted
    WHERE is_first
    UNION ALL
    SELECT customer_key, stretch, occurred_at, so_far - events
    FROM (
        SELECT m.*, row_number() OVER (
            PARTITION BY m.customer_key, m.stretch ORDER BY m.occurred_at
        ) AS place
        FROM begun b
        JOIN counted m ON m.customer_key = b.customer_key AND m.stretch = b.stretch
            AND m.occurred_at > b.started_at
        WHERE epoch_us(m.occurred_at) - epoch_us(b.started_at) > $longest
            OR m.so_far - b.before > $most_events
    )
    WHERE place = 1
),
placed AS (
    SELECT e.*, b.started_at
    FROM events e
    ASOF JOIN begun b ON e.customer_key = b.customer_key AND e.occurred_at >= b.started_at
)
SELECT
    customer_key,
    started_at,
    max(occurred_at) AS ended_at,
    count(*) AS events,
    count(*) FILTER (event_type = 'view') AS views,
    count(*) FILTER (event_type = 'cart') AS carts,
    count(*) FILTER (event_type = 'checkout') AS checkouts,
    count(*) FILTER (event_type = 'purchase') AS purchases,
    coalesce(sum(price) FILTER (event_type = 'purchase'), 0) AS revenue,
    max(currency) FILTER (event_type = 'purchase') AS currency,
    count(*) = 1 AS bounced,
    count(DISTINCT product_id) AS products,
    min(channel) FILTER (occurred_at = started_at) AS channel,
    min(device) FILTER (occurred_at = started_at) AS device
FROM placed
GROUP BY customer_key, started_at
ORDER BY customer_key, started_at
