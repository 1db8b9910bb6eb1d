"""Orders that are known before anybody opens their page."""
import os


def a_known_order(scene):
    """Given an order that the operator has imported as known.
    When somebody comes over a link, passes the checkout and opens its page.
    Then it is no new order. His own order, made at that checkout, is credited."""
    order, visitor = scene.old_order(), scene.visitor()
    path = os.path.join(scene.data, "old-orders.csv")
    with open(path, "w", encoding="ascii") as file:
        file.write("number,total\n%s,49.00\n" % order)
    scene.does("orders", "import-known", path, "--column", "number", "--namespace", "demo")
    number = visitor.buys()
    visitor.looks(order)
    outcome = scene.outcome(order)
    code, said = scene.refgate("explain", order)
    scene.suite.claim("it says since when", code == 0 and "known since" in said, said)
    return outcome, scene.credited(visitor, number)
