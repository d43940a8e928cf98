-- Pairs of items that baskets hold both of, from the table rows (basket, item).
-- Parameters: least, largest: the fewest baskets of a pair, the most different items of a basket.
WITH held AS (
    SELECT DISTINCT basket, item FROM rows
    QUALIFY count(DISTINCT item) OVER (PARTITION BY basket) <= $largest
),
items AS (SELECT item, count(*) AS baskets FROM held GROUP BY item),
total AS (SELECT count(DISTINCT basket) AS baskets FROM held),
counted AS (
    SELECT a.item, b.item AS related_item, count(*) AS baskets
    FROM held a JOIN held b ON a.basket = b.basket AND a.item < b.item
    GROUP BY ALL
)
SELECT
    c.item,
    c.related_item,
    c.baskets,
    c.baskets / t.baskets AS support,
    c.baskets / i.baskets AS confidence,
    c.baskets / r.baskets AS reverse_confidence,
    c.baskets * t.baskets / (i.baskets * r.baskets) AS lift
FROM counted c
JOIN items i ON i.item = c.item
JOIN items r ON r.item = c.related_item
CROSS JOIN total t
WHERE c.baskets >= $least
ORDER BY c.baskets DESC, c.item, c.related_item;
