"""Ids that are typed one after the other, at a shop that thanks for any; and the buyers who are given them later."""

# As the defaults of `guard` are.
PER_VISIT, PER_ADDRESS, BUYERS = 10, 30, 120


def ids(scene, count):
    return [scene.old_order() for _one in range(count)]


def given_one(scene, number):
    """The outcome for an honest shopper, somewhere else, to whom the shop gives this id."""
    shopper = scene.visitor().at_the_checkout()
    return scene.credited(shopper, shopper.is_given(number))


def aside(scene, tried):
    """How those stand that were too many: they claim no id."""
    scene.suite.equal("they claim no id", scene.outcomes(tried), {"no order"})
    scene.suite.claim("the operator is told", "id_enumeration" in scene.alarms(), scene.alarms)
    return "; ".join(scene.outcomes(tried, "demo.aside"))


def ids_tried_by_one_visit(scene):
    """Given a visit with a click that never was at the checkout.
    When it opens one confirmation after the other.
    Then ten are held as unproven, and all others are held and claim no id: whoever is given one of them later is
    credited and paid."""
    cheat, tried = scene.visitor(), ids(scene, PER_VISIT + 5)
    cheat.clicks()
    scene.later(60)
    for number in tried:
        cheat.looks(number)
    scene.suite.equal("the first ones are held", scene.outcomes(tried[:PER_VISIT]), {"held, unproven"})
    return aside(scene, tried[PER_VISIT:]), given_one(scene, tried[-1])


def ids_tried_after_a_checkout_step(scene):
    """Given a visit with a click that was at the checkout.
    When it opens one confirmation after the other, of orders that nobody has seen yet.
    Then ten are credited, as a checkout step is no payment, and all others are held and claim no id."""
    cheat, tried = scene.visitor(), ids(scene, PER_VISIT + 5)
    cheat.at_the_checkout("/?affiliate_id=999")
    for number in tried:
        cheat.thanks = cheat.looks(number)
    scene.suite.equal("ten are credited", {scene.credited(cheat, number, "999") for number in tried[:PER_VISIT]},
                      {"credited"})
    return aside(scene, tried[PER_VISIT:]), given_one(scene, tried[-1])


def a_second_look_when_the_hour_is_over(scene):
    """Given a visit that opened more than ten confirmations after a checkout step, so that the last ones are held aside.
    When it opens one of those again an hour later, and the operator releases what was held, and once more after that.
    Then it is the order that it was: one, told once, and no second one that claims the id. Another of them is free for
    whoever is given it."""
    cheat, tried = scene.visitor(), ids(scene, PER_VISIT + 2)
    cheat.at_the_checkout("/?affiliate_id=999")
    for number in tried:
        cheat.thanks = cheat.looks(number)
    for number in tried[:PER_VISIT]:
        scene.credited(cheat, number, "999")
    held, free = tried[PER_VISIT:]
    scene.later(minutes=61)
    cheat.looks(held)
    scene.suite.equal("it is no second order", scene.outcome(held), "no order")
    story = scene.story(held, "demo.aside")
    scene.suite.equal("it was seen twice", story["seen"], 2)
    outcome = scene.outcome(held, "demo.aside")
    scene.does("held", "release", str(story["postbacks"][0]["postback"]["id"]), "--actor", "anna", "--reason", "he says so")
    scene.owe(held, "999", "49.00")
    cheat.looks(held)
    scene.suite.equal("it is still one", scene.outcome(held), "no order")
    return outcome, given_one(scene, free)


def a_release_of_an_id_that_was_sold_since(scene):
    """Given an order that is held as one too many, and whose id the shop gives to an honest buyer later, who is credited.
    When the operator releases what was held, by its number, by a filter, and sends it again by its number.
    Then it is refused, as both are one sale by their id and amount: the buyer's affiliate is told, and nobody else."""
    cheat, tried = scene.visitor(), ids(scene, PER_VISIT + 1)
    cheat.clicks("/?affiliate_id=999")
    scene.later(60)
    for number in tried:
        cheat.looks(number)
    honest = given_one(scene, tried[-1])
    held = str(scene.story(tried[-1], "demo.aside")["postbacks"][0]["postback"]["id"])
    for words in (("held", "release", held), ("held", "release", "--order", tried[-1], "--yes"), ("postbacks", "resend", held)):
        _code, said = scene.refgate(*words, "--actor", "anna", "--reason", "all of them")
        scene.suite.claim("`%s` is refused" % " ".join(words[:2]), "may be the sale that postback" in said, said)
    scene.suite.equal("it is still held", scene.outcome(tried[-1], "demo.aside"), "held, too many")
    return "refused", honest


def ids_tried_from_one_address(scene):
    """Given somebody who follows a link anew for each confirmation that he opens, so that each is another visit.
    When he opens more than thirty in an hour from one address.
    Then the others are held and claim no id. A company of 25 buyers behind one address is credited, each of them."""
    tried = ids(scene, PER_ADDRESS + 3)
    address = scene.visitor().address
    for number in tried:
        scene.visitor(address=address).looks(number, "?affiliate_id=999")
    outcome = aside(scene, tried[PER_ADDRESS:])
    address = scene.visitor().address
    company = [scene.visitor(address=address) for _one in range(25)]
    for act in (lambda it: it.clicks(), lambda it: it.fills(), lambda it: it.is_given(scene.old_order())):
        bought = [(shopper, act(shopper)) for shopper in company]
        scene.later(60)
    for shopper, number in bought:
        scene.owe(number, "123456", "49.00")
    scene.suite.equal("and so is who is given one that was tried", given_one(scene, tried[-1]), "credited")
    return outcome, "; ".join(scene.outcomes([number for _shopper, number in bought]))


def ids_tried_from_one_address_after_checkout_steps(scene):
    """Given somebody who goes to the checkout again, over a link, for each ten confirmations that he opens.
    When he opens more than 120 in an hour from one address.
    Then 120 are credited, as a checkout step is no payment, and all others are held and claim no id."""
    tried, address = ids(scene, BUYERS + PER_VISIT), scene.visitor().address
    for at in range(0, len(tried), PER_VISIT):
        cheat = scene.visitor(address=address).at_the_checkout("/?affiliate_id=999")
        for number in tried[at:at + PER_VISIT]:
            cheat.looks(number)
    scene.suite.equal("120 are credited", scene.outcomes(tried[:BUYERS]), {"credited"})
    scene.owed.update(("aspire", number, "999", "49.00") for number in tried[:BUYERS])
    return aside(scene, tried[BUYERS:]), given_one(scene, tried[-1])


def addresses_that_are_made_up(scene):
    """Given somebody who writes another address into `X-Forwarded-For` with each confirmation that he opens.
    When the proxy in front of refgate (`trusted_proxies`) adds the one that he has.
    Then that one counts: after thirty ids the others are held and claim none."""
    tried, address = ids(scene, PER_ADDRESS + 3), scene.visitor().address
    for at, number in enumerate(tried):
        scene.visitor(address="198.18.0.%d, %s" % (at, address)).looks(number, "?affiliate_id=999")
    return aside(scene, tried[PER_ADDRESS:]), given_one(scene, tried[-1])


def ids_tried_without_cookies(scene):
    """Given a program that keeps no cookies and names no partner.
    When it opens more than thirty confirmations in an hour from one address, to burn their ids.
    Then thirty are nobody's, and all others claim no id: whoever is given one of them later is credited."""
    tried = ids(scene, PER_ADDRESS + 3)
    address = scene.visitor().address
    for number in tried:
        scene.visitor(address=address).looks(number)
    return aside(scene, tried[PER_ADDRESS:]), given_one(scene, tried[-1])
