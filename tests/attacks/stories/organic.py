"""Orders that come without a click first, and then with one."""


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
