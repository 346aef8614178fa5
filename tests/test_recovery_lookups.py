"""What facts and those whom they refer to have in common is really there."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import statsmodels.api as sm
from scipy import stats
from worlds import START, instants, population, scenario, tables, words

from sim.maths.units import DAY

PRODUCT = {
    "initial": {"count": 50},
    "attributes": {
        "category": {"type": "choice", "values": {"books": 5, "toys": 3, "tools": 2}},
        "price": {"type": "lognormal", "median": 30, "sigma": 0.8},
    },
}


def shop(columns, rate="100/year", products=None, **user):
    stream = {"entity": "user", "rate": rate, "attributes": columns}
    entities = {"product": PRODUCT | (products or {}), **population(200, **user)}
    return tables(scenario(entities=entities, streams={"order": stream}, tick="30d"))


def test_an_expression_over_a_lookup_is_exact():
    run = shop(
        {
            "product": {"type": "lookup", "entity": "product"},
            "quantity": {"type": "poisson", "mean": 1.4},
            "total": {"type": "expression", "sql": "product.price * quantity"},
        }
    )
    orders = run["order"].join(run["product"].select("product_id", "price"), on="product_id")
    assert orders.height == run["order"].height
    assert np.allclose(orders["total"], orders["price"] * orders["quantity"])


def test_the_dependence_on_an_attribute_of_a_lookup_is_found_by_regression():
    noise = {"type": "normal", "mean": 0, "sd": 5}
    amount = {"type": "expression", "sql": "3 + 2 * product.price + noise"}
    run = shop({"product": {"type": "lookup", "entity": "product"}, "noise": noise, "amount": amount})
    orders = run["order"].join(run["product"].select("product_id", "price"), on="product_id")
    fit = sm.OLS(orders["amount"].to_numpy(), sm.add_constant(orders["price"].to_numpy())).fit()
    for estimate, error, declared in zip(fit.params, fit.bse, (3, 2), strict=True):
        evidence.near(estimate, error, declared)


def test_everything_is_looked_up_equally_often_unless_weighted():
    run = shop({"product": {"type": "lookup", "entity": "product"}})
    evidence.proportions(np.bincount(run["order"]["product_id"], minlength=50), np.ones(50))


def test_zipf_popularity_has_its_exponent():
    weights = {"type": "zipf", "exponent": 1.1}
    run = shop({"product": {"type": "lookup", "entity": "product", "weights": weights}})
    counts = np.sort(np.bincount(run["order"]["product_id"], minlength=50))[::-1]
    ranks = np.arange(1, 51)
    head = ranks <= 12
    # Sorting by the outcome hardly matters in the head, where neighbours are far apart.
    fit = sm.GLM(counts[head], sm.add_constant(np.log(ranks[head])), family=sm.families.Poisson()).fit()
    evidence.near(fit.params[1], fit.bse[1], -1.1)


def test_popularity_does_not_depend_on_who_looks_or_when():
    tier = {"a": {"weight": 1}, "b": {"weight": 1}}
    lookup = {"type": "lookup", "entity": "product", "weights": {"type": "zipf", "exponent": 1}}
    run = shop({"product": lookup, "tier": {"type": "expression", "sql": "segment"}}, segments={"kind": tier})
    product, early = run["order"]["product_id"].to_numpy(), instants(run["order"]) < START + 183 * DAY
    first = words(run["order"], "tier") == "a"
    evidence.same_shares(np.bincount(product[early], minlength=50), np.bincount(product[~early], minlength=50))
    evidence.same_shares(np.bincount(product[first], minlength=50), np.bincount(product[~first], minlength=50))


def test_what_is_new_is_looked_up_from_its_birth_on():
    run = shop({"product": {"type": "lookup", "entity": "product"}}, "2/day", {"arrivals": {"rate": "1/day"}})
    births = instants(run["product"], "born_at")
    known = np.searchsorted(births, instants(run["order"]), side="right")
    # Given how many are known, the id of the one that is found is uniform.
    place = run["order"]["product_id"].to_numpy() + np.random.default_rng(0).random(len(known))
    evidence.distributed(place / known, "uniform")


def test_a_matched_lookup_agrees_with_the_row():
    city = {"type": "choice", "values": {"Paris": 3, "Lyon": 1, "Nice": 1}}
    match = {"type": "lookup", "entity": "product", "match": {"city": "user.city"}}
    products = {"attributes": {"city": city}, "initial": {"count": 60}}
    run = shop({"product": match}, products=products, attributes={"city": city})
    orders = run["order"].join(run["product"].select("product_id", "city"), on="product_id")
    orders = orders.join(run["user"].select("user_id", home="city"), on="user_id")
    assert orders.height == run["order"].height
    assert (orders["city"].cast(pl.String) == orders["home"].cast(pl.String)).all()


def test_an_attribute_of_the_entity_is_the_same_in_all_of_its_facts():
    level = {"type": "gamma", "mean": 40, "shape": 2}
    amount = {"type": "expression", "sql": "user.level * factor"}
    factor = {"type": "lognormal", "median": 1, "sigma": 0.1}
    run = shop({"factor": factor, "amount": amount}, attributes={"level": level})
    orders = run["order"].join(run["user"].select("user_id", "level"), on="user_id")
    evidence.distributed(np.log(orders["amount"] / orders["level"]), stats.norm(0, 0.1).cdf)


def test_age_and_state_in_expressions_are_those_of_the_event_time():
    states = {"on": {"transitions": [{"to": "off", "hazard": "1/month"}]}, "off": {}}
    attributes = {
        "age_seen": {"type": "expression", "sql": "age"},
        "state_seen": {"type": "expression", "sql": "state"},
    }
    run = shop(attributes, lifecycle={"initial": "on", "states": states})
    orders = run["order"].join(run["user_lifecycle"].select("user_id", gone="event_time"), on="user_id", how="left")
    expected = orders["gone"].is_null() | (orders["event_time"] < orders["gone"])
    assert ((words(orders, "state_seen") == "on") == expected.to_numpy()).all()
    assert np.allclose(orders["age_seen"], (instants(orders) - START) / DAY)
