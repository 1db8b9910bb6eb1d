"""Orders that come without a click: whose are they, by what is seen later, or by the shop's session?"""
from suite import wait_until


def placed(scene, **habits):
    """A shopper's order whose payment page leads back from another site, so without his cookies."""
    shopper = scene.visitor(**habits)
    shopper.at_the_checkout()
    order = scene.old_order()
    back = scene.visitor(address=shopper.address, agent=shopper.agent)
    back.ask("POST", "/payment/return/" + order, b"", Origin="https://pay.example", Sec_Fetch_Site="cross-site")
    scene.suite.equal("without cookies it is nobody's", scene.outcome(order), "nobody's")
    return shopper, order


def returned(scene, **habits):
    """The same shopper looks at his order's page a minute later."""
    shopper, order = placed(scene, **habits)
    scene.later(60)
    shopper.thanks = shopper.looks(order)
    return shopper, order


def somebody_else_opens_an_order_that_came_without_a_click(scene):
    """Given an order that came without cookies, as the payment page led back by POST.
    When somebody else, with a click and a checkout step of his own, opens its page within half an hour.
    Then it stays nobody's. The same shopper, with his visit from before, is credited."""
    _shopper, order = placed(scene)
    thief = scene.visitor()
    thief.at_the_checkout("/?affiliate_id=222")
    thief.looks(order)
    shopper, mine = returned(scene)
    return scene.outcome(order), scene.credited(shopper, mine)


def the_same_shopper_too_late(scene):
    """Given an order that came without cookies.
    When the same shopper's visit opens its page 31 minutes later.
    Then it stays nobody's. Within half an hour it is credited."""
    late, order = placed(scene)
    scene.later(minutes=31)
    late.looks(order)
    shopper, mine = returned(scene)
    return scene.outcome(order), scene.credited(shopper, mine)


def a_click_after_the_order(scene):
    """Given a shopper who buys without a click.
    When he follows an affiliate's link afterwards, passes the checkout again and opens the same confirmation.
    Then it stays nobody's: the click came after the order. With the click before it, it is credited."""
    shopper = scene.visitor()
    number = shopper.buys(link=None)
    scene.later(60)
    shopper.clicks()
    scene.later(60)
    shopper.get("/cart")
    shopper.looks(number)
    return scene.outcome(number), scene.honest()


def a_second_claim_on_an_order_that_was_credited_late(scene):
    """Given two shoppers of one address and program, both with a click and a checkout step; the order of one came without
    cookies, and was credited to his visit.
    When the other opens its page, at once and later.
    Then it stays the first one's, and is told once."""
    twin = scene.visitor()
    twin.clicks("/?affiliate_id=222")
    scene.later(60)
    twin.fills()
    shopper, order = returned(scene, address=twin.address, agent=twin.agent)
    outcome = scene.credited(shopper, order)
    twin.looks(order)
    scene.later(minutes=29)
    twin.looks(order)
    scene.suite.equal("the order's click is the first one's", scene.partner(order), "123456")
    return "stays " + scene.outcome(order), outcome


def noted(scene, visitor, count="sessions_remembered"):
    """A step at the checkout whose session is written down, which is done beside the request."""
    before = scene.metric("refgate_%s_total" % count)
    visitor.fills()
    wait_until("it is written down", lambda: scene.metric("refgate_%s_total" % count) > before)
    scene.later(60)


def at_the_payment(scene, link):
    """Somebody who came over a link and has passed the checkout, as has his session."""
    visitor = scene.visitor("paying")
    visitor.clicks(link)
    scene.later(60)
    noted(scene, visitor)
    return visitor


def paid(scene, shopper):
    """The payment page leads a shopper back from another site: his session comes along, refgate's cookie does not."""
    back, order = scene.visitor("paying", address=shopper.address, agent=shopper.agent), scene.old_order()
    back.jar[b"sid"] = shopper.jar[b"sid"]
    shopper.thanks = back.ask("POST", "/payment/return/" + order, b"", Origin="https://pay.example",
                              Sec_Fetch_Site="cross-site")
    return order


def returned_from_the_payment(scene):
    """The outcome of an honest shopper's order, whose own session it is."""
    shopper = at_the_payment(scene, "/?affiliate_id=111")
    return scene.credited(shopper, paid(scene, shopper), "111", namespace="paying")


def a_planted_session(scene):
    """Given an affiliate who passes the checkout over his own link, and then plants his session at the shop in the browser
    of somebody who came over another link.
    When that one goes to the checkout, pays, and comes back without refgate's cookie.
    Then the session came with two visits: the order is nobody's, and the operator is told. Who comes back with his own
    session is credited."""
    thief = at_the_payment(scene, "/?affiliate_id=999")
    victim = scene.visitor("paying")
    victim.clicks("/?affiliate_id=222")
    victim.jar[b"sid"] = thief.jar[b"sid"]
    scene.later(60)
    noted(scene, victim, "sessions_shared")
    order = paid(scene, victim)
    scene.suite.claim("the operator is told", "session_shared" in scene.alarms(), scene.alarms)
    return scene.outcome(order, "paying"), returned_from_the_payment(scene)


def a_session_planted_with_a_stranger(scene):
    """Given an affiliate who passes the checkout over his own link, and then plants his session at the shop in the browsers
    of shoppers who came over no link.
    When one of them pays at the shop itself, and another on a payment page that leads back without cookies.
    Then both orders are nobody's, also when the affiliate opens their pages himself: a browser that was at the checkout
    without refgate's cookie has none."""
    outcomes = set()
    for pays in (lambda victim: victim.pays(), lambda victim: paid(scene, victim)):
        thief, victim = at_the_payment(scene, "/?affiliate_id=999"), scene.visitor("paying")
        victim.get("/")
        victim.jar[b"sid"] = thief.jar[b"sid"]
        noted(scene, victim, "sessions_shared")
        order = pays(victim)
        thief.looks(order)
        outcomes.add(scene.outcome(order, "paying"))
    scene.suite.claim("the operator is told", "session_shared" in scene.alarms(), scene.alarms)
    return "; ".join(sorted(outcomes)), returned_from_the_payment(scene)
