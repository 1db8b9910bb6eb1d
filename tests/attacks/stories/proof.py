"""Who has bought, and who only looks."""
from concurrent.futures import ThreadPoolExecutor


def only_clicked(scene, **passes):
    """The outcome of an order whose page is opened by one who came over a link so long ago, and never was at the checkout."""
    order, visitor = scene.old_order(), scene.visitor()
    visitor.clicks()
    scene.later(**passes)
    visitor.looks(order)
    return scene.outcome(order)


def a_parameter_typed_on_an_old_order_page(scene):
    """Given an order that is older than refgate, whose page the shop shows to whoever has its address.
    When somebody opens it with an affiliate's parameter typed behind it.
    Then nobody is paid: the order is held, as no checkout was seen. Who comes over a link and buys is credited."""
    order = scene.old_order()
    scene.visitor().looks(order, "?affiliate_id=7")
    scene.suite.claim("it says why", "no checkout seen" in scene.why(order), scene.why(order))
    return scene.outcome(order), scene.honest()


def an_order_older_than_the_installation(scene):
    """Given a store whose rule knows the last order before refgate, by `id_floor`.
    When the page of an older order is opened over an affiliate's link.
    Then it is nobody's. An order with a new id is credited."""
    cheat, shopper = scene.visitor("floor"), scene.visitor("floor")
    cheat.clicks()
    scene.later(60)
    cheat.looks("49999")
    scene.suite.claim("it says why", "older than the installation" in scene.why("49999", "floor"))
    number = shopper.buys()
    return scene.outcome("49999", "floor"), scene.credited(shopper, number, namespace="floor")


def a_phone_order(scene):
    """Given an order that was made by phone, so that nobody was at the store's checkout.
    When its page is opened by somebody who came over an affiliate's link before.
    Then it is held, as no checkout was seen. Who buys at the checkout is credited."""
    return only_clicked(scene, minutes=20), scene.honest()


def a_confirmation_shared_by_link(scene):
    """Given a buyer who came over one affiliate's link, and a friend who came over another's and was at the checkout.
    When the friend opens the buyer's confirmation, later and again.
    Then the order stays the buyer's affiliate's, and is told once."""
    buyer, friend = scene.visitor(), scene.visitor()
    number = buyer.buys("/?affiliate_id=111")
    outcome = scene.credited(buyer, number, "111")
    friend.at_the_checkout("/?affiliate_id=222")
    friend.looks(number)
    scene.later(hours=2)
    friend.looks(number)
    scene.suite.equal("the order's click is the buyer's", scene.partner(number), "111")
    return "stays " + scene.outcome(number), outcome


def many_who_open_one_confirmation_at_once(scene):
    """Given eight visitors of as many partners, each with a click and a checkout step, in two stores of one shop.
    When all of them open the same confirmation, that nobody has seen, at the same moment and again.
    Then one of them is credited, and the network is told once."""
    order = scene.old_order()
    partners = {str(partner): scene.visitor("store-us" if partner % 2 else "store-ca") for partner in range(501, 509)}
    for partner, visitor in partners.items():
        visitor.clicks("/?affiliate_id=" + partner)
    scene.later(60)
    for visitor in partners.values():
        visitor.fills()
    scene.later(60)
    with ThreadPoolExecutor(len(partners)) as together:
        for _again in range(3):
            list(together.map(lambda visitor: visitor.looks(order), partners.values()))
    scene.owe(order, scene.partner(order), "49.00")
    scene.suite.equal("all of them were seen", scene.story(order)["seen"], 3 * len(partners))
    return scene.outcome(order) + ", once", scene.honest()


def a_confirmation_that_its_buyer_never_saw(scene):
    """Given an order whose buyer never came to its confirmation, and somebody who has only clicked.
    When he is sent its address and opens it.
    Then it is held, as no checkout was seen since the click. A buyer who clicks first is credited."""
    return only_clicked(scene, days=2), scene.honest()


def a_link_to_the_confirmation_itself(scene):
    """Given a shopper who fills his cart without any affiliate.
    When his first click leads straight to the confirmation of his order.
    Then it is held: the checkout was seen by nobody who had a click. With the click before the cart it is credited."""
    shopper = scene.visitor()
    shopper.fills()
    scene.later(60)
    order = scene.old_order()
    shopper.looks(order, "?affiliate_id=9")
    return scene.outcome(order), scene.honest()


def an_extension_at_an_early_checkout(scene):
    """Given a shopper without a click, at the cart.
    When an extension leads him over its affiliate's link, and he goes on through the checkout.
    Then it is credited: nothing in the requests tells that apart from a shopper who looked for a link himself."""
    shopper = scene.visitor()
    shopper.fills()
    shopper.clicks("/checkout?affiliate_id=333")
    number = shopper.pays()
    return scene.credited(shopper, number, "333"), scene.honest()


def a_first_view_that_is_not_the_first(scene):
    """Given a store without a seen checkout, whose confirmation carries a mark at its first view only.
    When somebody with a click opens a confirmation that its buyer has seen before refgate was there.
    Then it is held. Who sees the first view is credited."""
    cheat, shopper, order = scene.visitor("first"), scene.visitor("first"), scene.old_order()
    cheat.clicks()
    scene.later(60)
    scene.shop.views.add(("first.localhost", order))
    cheat.looks(order)
    number = shopper.buys()
    return scene.outcome(order, "first"), scene.credited(shopper, number, namespace="first")


def any_view_by_the_operators_word(scene):
    """Given a store whose rule says `trust_any_view: true`.
    When somebody opens any confirmation with a parameter typed behind it.
    Then he is credited: that is the operator's word, which no default gives."""
    cheat, order = scene.visitor("trusting"), scene.old_order()
    cheat.clicks("/?affiliate_id=7")
    scene.later(60)
    cheat.thanks = cheat.looks(order)
    return scene.credited(cheat, order, "7", namespace="trusting"), scene.honest()


def a_rule_without_any_proof(scene):
    """Given a store without a checkout, and a rule without `first_view`, `id_floor` or `trust_any_view`.
    When `refgate check` reads it.
    Then it is refused, by name. With one of them it is taken."""
    path = scene.configured("unproven.yaml", lambda text: text.replace("    trust_any_view: true\n", ""))
    code, said = scene.refgate("check", config=path)
    scene.suite.claim("the fault names the rule", code == 64 and "found nothing that could show that a visitor of the store `trusting`" in said, said)
    return "refused" if code else "taken", "refused" if scene.refgate("check")[0] else "taken"


def a_click_older_than_the_window(scene):
    """Given a click that is 31 days old.
    When its visitor buys.
    Then it is nobody's. After 29 days it is credited."""
    late, honest = scene.visitor(), scene.visitor()
    late.clicks()
    scene.later(days=2)
    honest.clicks()
    scene.later(days=29)
    number = late.buys(link=None)
    return scene.outcome(number), scene.credited(honest, honest.buys(link=None))
