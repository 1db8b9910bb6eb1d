"""Orders that are known before anybody opens their page."""
import os


def opened_by_a_buyer(scene, order, since):
    """What becomes of a known order that one opens who has just bought; and of his own."""
    visitor = scene.visitor()
    number = visitor.buys()
    visitor.looks(order)
    outcome = scene.outcome(order)
    code, said = scene.refgate("explain", order)
    scene.suite.claim("it says since when, and why", code == 0 and "known since" in said and since in said, said)
    return outcome, scene.credited(visitor, number)


def a_known_order(scene):
    """Given an order that the operator has imported as known.
    When somebody comes over a link, passes the checkout and opens its page.
    Then it is no new order. His own order, made at that checkout, is credited."""
    order, path = scene.old_order(), os.path.join(scene.data, "old-orders.csv")
    with open(path, "w", encoding="ascii") as file:
        file.write("number,total\n%s,49.00\n" % order)
    scene.does("orders", "import-known", path, "--column", "number", "--namespace", "demo")
    return opened_by_a_buyer(scene, order, "an operator named its id")


def an_order_older_than_what_is_kept(scene):
    """Given an order that was credited and told, and is 401 days old, so that its rows are gone from the ledger.
    When somebody comes over a link, passes the checkout and opens its page.
    Then it is no new order: a keyed hash of its id has stayed. His own is credited."""
    buyer = scene.visitor()
    order = buyer.buys()
    scene.credited(buyer, order)
    scene.later(days=401)
    scene.hurry("the order is retired", lambda: scene.outcome(order) == "no order")
    return opened_by_a_buyer(scene, order, "older than what is kept")
