"""Clicks that were not made by anybody who wanted to, and visits that are not one person's."""
import base64
import json


def a_very_young_click(scene):
    """Given a shopper at the end of the checkout, and a program that follows a link in the moment before he pays.
    When the order comes four seconds after its click.
    Then it is held: nobody buys so fast. Who needs a minute is credited."""
    shopper = scene.visitor()
    shopper.clicks("/checkout?affiliate_id=999")
    scene.later(3)
    shopper.fills()
    scene.later(1)
    number = shopper.post("/checkout", {}).find(r'id="order-number">(\d+)<')
    return scene.outcome(number), scene.honest()


def a_click_right_after_a_checkout_step(scene):
    """Given a shopper who came over one affiliate's link and is at the checkout.
    When an extension leads him over its own link there, and he pays.
    Then the first affiliate is credited. A click half an hour after the last step is one like any other."""
    shopper, later = scene.visitor(), scene.visitor()
    shopper.at_the_checkout("/?affiliate_id=111")
    shopper.clicks("/checkout?affiliate_id=999")
    outcome = scene.credited(shopper, shopper.pays(), "111") + ", the first click"
    later.clicks("/?affiliate_id=111")
    scene.later(60)
    later.fills()
    scene.later(minutes=31)
    return outcome, scene.credited(later, later.buys("/?affiliate_id=222"), "222") + ", the second click"


def traffic_that_is_self_made(scene):
    """Given an affiliate who follows his own link and buys, again and again, as his own customer.
    When the operator looks at what each affiliate brought.
    Then the orders are credited, as somebody bought; but they are of one visit and a minute after its click, and that
    stands in the figures. An affiliate who brought as many shoppers has as many visits there."""
    himself, outcomes = scene.visitor(), set()
    for _time in range(3):
        outcomes.add(scene.credited(himself, himself.buys("/?affiliate_id=7007"), "7007"))
    shoppers = [scene.visitor() for _one in range(3)]
    honest = {scene.credited(shopper, shopper.buys("/?affiliate_id=7008"), "7008") for shopper in shoppers}
    told = {line["affiliate"]: line for line in json.loads(scene.does("--json", "--log", "off", "affiliates"))}
    figures = [[told[who][name] for name in ("orders", "visits", "most_of_one_visit")] for who in ("7007", "7008")]
    scene.suite.equal("the figures tell them apart", figures, [[3, 1, 3], [3, 3, 1]])
    return "; ".join(outcomes) + ", in the figures", "; ".join(honest)


def a_blocked_partner(scene):
    """Given a partner whom the operator blocks.
    When somebody buys over his link.
    Then the order is held. Another partner's is credited."""
    number = scene.visitor().buys("/?affiliate_id=666")
    scene.suite.claim("it says why", "666 is blocked" in scene.why(number), scene.why(number))
    return scene.outcome(number), scene.honest()


def a_blocked_network(scene):
    """Given a network of addresses that the operator blocks.
    When somebody buys from there over a link.
    Then the order is held. From the network beside it it is credited."""
    number = scene.visitor(address="198.51.100.77").buys()
    return scene.outcome(number), scene.honest(address="198.51.101.77")


def one_visit_in_many_networks(scene):
    """Given a cache that keeps one visitor's cookie and gives it to all others.
    When they buy, from five networks within an hour.
    Then the fifth order is held, and the operator is told. Who goes from home to his telephone is credited."""
    first, numbers = scene.visitor(), []
    first.clicks()
    for at in range(5):
        other = scene.visitor(address="192.0.%d.7" % (100 + at))
        other.jar[b"refgate"] = first.cookie
        numbers.append((other, other.buys(link=None)))
    for other, number in numbers[:4]:
        scene.credited(other, number)
    scene.suite.claim("the operator is told", "visit_shared" in scene.alarms(), scene.alarms)
    shopper = scene.visitor()
    shopper.clicks()
    scene.later(60)
    shopper.fills()
    shopper.address = "192.0.200.9"
    return scene.outcome(numbers[4][1]), scene.credited(shopper, shopper.pays())


def a_link_in_a_hidden_frame(scene):
    """Given a page of another site that loads an affiliate's link in a hidden frame, a picture, a script, by `fetch`, or
    ahead of time.
    When its reader buys later.
    Then that was no click: the order is nobody's. Who opens the link is credited."""
    shopper = scene.visitor()
    habits = [{"Sec_Fetch_Dest": dest} for dest in ("iframe", "image", "script", "style", "empty", "object", "embed")]
    habits += [{"Sec_Purpose": "prefetch"}, {"Sec_Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"},
               {"X_Moz": "prefetch"}]
    for habit in habits:
        shopper.clicks("/?affiliate_id=999", **habit)
    shopper.ask("HEAD", "/?affiliate_id=999")
    shopper.ask("POST", "/?affiliate_id=999", b"")
    scene.suite.equal("none of it set a cookie", shopper.cookie, None)
    return scene.outcome(shopper.buys(link=None)), scene.honest()


def a_forged_cookie(scene):
    """Given a cookie of refgate's in which a byte was changed, and others that were made up.
    When somebody buys with them.
    Then there is no visit: the order is nobody's. With the cookie as it was given it is credited."""
    shopper = scene.visitor()
    shopper.clicks()
    good = shopper.cookie
    middle = len(good) // 2
    forged = [good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1:], good[:-1], b"A" * len(good),
              base64.b64encode(b'{"clicks":[{"network":"aspire","values":{"affiliate_id":"999"}}]}' + bytes(200))]
    outcomes = set()
    for cookie in forged:
        cheat = scene.visitor()
        cheat.jar[b"refgate"] = cookie
        outcomes.add(scene.outcome(cheat.buys(link=None)))
    return "; ".join(outcomes), scene.credited(shopper, shopper.buys(link=None))


def a_cookie_of_another_shop(scene):
    """Given a shop that shares no keys with this one.
    When somebody brings its cookie here and buys.
    Then it opens nothing: the order is nobody's. At its own shop it is credited."""
    shopper, cheat = scene.visitor("other"), scene.visitor()
    shopper.clicks()
    cheat.jar[b"refgate"] = shopper.cookie
    outcome = scene.outcome(cheat.buys(link=None))
    return outcome, scene.credited(shopper, shopper.buys(link=None), namespace="other")


def a_cookie_that_was_kept_too_long(scene):
    """Given a cookie with a click, which a program keeps when the browser would have dropped it.
    When somebody buys with it after 31 days.
    Then it is nobody's: the click's time stands within the seal."""
    cheat = scene.visitor()
    cheat.clicks()
    kept = cheat.cookie
    scene.later(days=31)
    cheat.jar[b"refgate"] = kept
    return scene.outcome(cheat.buys(link=None)), scene.honest()


def crossing(scene):
    """The address to which the shop sends a visitor with a click from one store to the other; with his token."""
    visitor = scene.visitor()
    visitor.clicks("/?affiliate_id=111")
    port = scene.front
    page = visitor.ask("GET", "/switch?to=http://store-ca.localhost:%d/" % port)
    token = page.headers["Location"].partition("refgate=")[2]
    if not token:
        raise LookupError("no token in %s" % page.headers["Location"])
    return token


def a_forged_or_old_token(scene):
    """Given the token by which a click comes along from store to store.
    When it is changed, brought to another store than it is for, given twice, or kept for more than half an hour.
    Then no click comes along: the order is nobody's. Who follows the shop's redirect at once is credited."""
    token = crossing(scene)
    middle = len(token) // 2
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]
    cases = [("store-ca", changed), ("store-us", token), ("other", token), ("store-ca", token + "&refgate=" + token)]
    visitors = []
    for host, forged in cases:
        visitors.append(scene.visitor(host))
        visitors[-1].clicks("/?refgate=" + forged)
    honest, late = scene.visitor("store-ca"), scene.visitor("store-ca")
    honest.clicks("/?refgate=" + token)
    scene.later(minutes=31)
    late.clicks("/?refgate=" + token)
    scene.suite.equal("none of them has a visit", [it.cookie for it in [*visitors, late]], [None] * (len(cases) + 1))
    return scene.outcome(late.buys(link=None)), scene.credited(honest, honest.buys(link=None), "111")


def a_token_that_is_passed_on(scene):
    """Given the address with the token, as the browser of a visitor shows it.
    When a friend opens it within its half hour and buys.
    Then the affiliate is credited, as if the friend had been sent the affiliate's link; the visitor's own order too."""
    token = crossing(scene)
    friend = scene.visitor("store-ca")
    friend.clicks("/?refgate=" + token)
    visitor = scene.visitor("store-ca")
    visitor.clicks("/?refgate=" + token)
    return scene.credited(friend, friend.buys(link=None), "111"), \
        scene.credited(visitor, visitor.buys(link=None), "111")


def parameters_that_are_no_click(scene):
    """Given links with the parameter twice, empty, too long, with other characters, in another case or encoded oddly.
    When somebody buys over them.
    Then they are no clicks: the order is nobody's. One parameter that fits the pattern is credited."""
    links = ["affiliate_id=1&affiliate_id=2", "affiliate_id=", "affiliate_id", "affiliate_id=" + "1" * 13,
             "affiliate_id=12a", "affiliate_id=-1", "affiliate_id=1%00", "affiliate_id=1%0d%0aSet-Cookie:x=y",
             "affiliate_id=%1b[31m1", "Affiliate_Id=1", "affiliate_id[]=1", "affiliate_id=1;affiliate_id=2",
             "affiliate_id=%ef%bc%91", "affiliate_id=1%26aff_id%3d2", "affiliate_id=" + "9" * 4000]
    visitor = scene.visitor()
    for link in links:
        visitor.clicks("/?" + link)
        scene.suite.equal("%s sets no cookie" % link[:40], visitor.cookie, None)
    return scene.outcome(visitor.buys(link=None)), scene.honest()


def a_robot(scene):
    """Given a search engine's robot that follows a link and opens a confirmation.
    When it comes again and again.
    Then it makes neither a click nor an order. A person's in-app browser is credited."""
    robot = scene.visitor(agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    number = robot.buys()
    scene.suite.equal("it has no cookie", robot.cookie, None)
    return scene.outcome(number), scene.honest(
        agent="Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
              "Mobile/15E148 Instagram 309.0.0.18.78")


def staff(scene):
    """Given a colleague whose browser has the cookie by which the operator marks his own people.
    When he tries out a link and buys.
    Then it makes neither a click nor an order."""
    colleague = scene.visitor()
    colleague.jar[b"staff"] = b"1"
    return scene.outcome(colleague.buys()), scene.honest()
