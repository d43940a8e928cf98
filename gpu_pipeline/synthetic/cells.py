"""One cell of customers: who they are, what they do, and the files that this leaves."""

from dataclasses import dataclass

import numpy as np

from gpu_pipeline.synthetic.columns import Ints
from gpu_pipeline.synthetic.delivery import Feed
from gpu_pipeline.synthetic.exports import Landed, export, export_customers
from gpu_pipeline.synthetic.lines import draw_lines, order_table
from gpu_pipeline.synthetic.orders import draw_orders, with_fraud
from gpu_pipeline.synthetic.people import draw_accounts, draw_people
from gpu_pipeline.synthetic.recipe import Cell, Recipe
from gpu_pipeline.synthetic.sales import draw_sales
from gpu_pipeline.synthetic.stock import weekly_units
from gpu_pipeline.synthetic.truth import cell_truth
from gpu_pipeline.synthetic.visits import clickstream
from gpu_pipeline.synthetic.voices import feedback_voice, review_voice, social_voice, support_voice
from gpu_pipeline.synthetic.world import Market, World


@dataclass(frozen=True)
class MadeCell:
    """What remains of a cell once its files are written."""

    landed: Landed
    units: Ints  # sold, (weeks, products, locations)
    lost: Ints  # units, of each stock-out


def make_cell(market: Market, recipe: Recipe, cell: Cell) -> MadeCell:
    """Draws the customers of a cell and all they do, and writes the files of it."""
    world, number = _world(market, recipe, cell), cell.number
    lines = draw_lines(world, recipe.stream("lines", number))
    orders, engraved = order_table(world, lines, recipe.stream("engravings", number))
    clicks = clickstream(world, recipe.bot_share, recipe.stream("visits", number))
    voices = {
        "reviews": review_voice(world, recipe.stream("reviews", number)),
        "feedback": feedback_voice(world, recipe.stream("feedback", number)),
        "social": social_voice(world, recipe.stream("social", number)),
        "support": support_voice(world, recipe.stream("support", number)),
    }
    feeds = (
        Feed("orders", orders, lines.settled_at(world.span.closes), engraved),
        Feed("clickstream", clicks.table, clicks.at),
        *(Feed(name, voice.table, voice.at, voice.planted) for name, voice in voices.items()),
    )
    landed = [export_customers(world, recipe, cell)]
    landed += [export(feed, recipe, cell) for feed in feeds]
    landed.append(Landed({}, cell_truth(world, clicks, voices)))
    return MadeCell(Landed.together(landed), weekly_units(world), world.lost)


def _world(market: Market, recipe: Recipe, cell: Cell) -> World:
    span, shop, demand, number = market.span, market.shop, market.demand, cell.number
    people = draw_people(span, cell.first_customer, cell.customers, recipe.stream("people", number))
    orders = draw_orders(span, demand, people, market.currencies, recipe.stream("orders", number))
    fraud = recipe.stream("fraud", number)
    orders = with_fraud(span, shop, people, orders, recipe.fraud_share, fraud)
    known = orders.customer >= 0
    first_order = np.full(len(people), span.closes)
    np.minimum.at(first_order, orders.customer[known], orders.at[known])
    accounts = draw_accounts(span, people, first_order, recipe.stream("accounts", number))
    sales, lost = draw_sales(
        span, shop, demand, orders, market.rates, recipe.stream("sales", number)
    )
    return World(
        cell=number,
        market=market,
        people=people,
        accounts=accounts,
        orders=orders,
        sales=sales,
        lost=lost,
    )
