"""The same attacks on django-oscar, where a confirmation belongs to the session that bought."""
import re

from order import CONFIRMATION, buy
from client import Shopper
from suite import wait_until

PATHS = ["/checkout%2fthank-you/", "/checkout//thank-you/", "/./checkout/thank-you/",
         "/x/../checkout/thank-you/", "/checkout/thank-you/;x", "/checkout/%2e/thank-you/", "/%63heckout%2fthank-you%2f"]


def shown(page):
    """The order's number, if the page is a confirmation."""
    found = re.search(r"order number is\s*<strong>(\d+)</strong>", page.text)
    return found and found.group(1)


def an_order_placed_past_refgate(scene):
    """Given an order that was placed at the shop itself (by phone, or before refgate), whose session lives on.
    When that session comes through refgate over an affiliate's link, and opens its confirmation.
    Then it is held, as no checkout was seen. Who buys through refgate is credited."""
    past = Shopper(scene.site, "shop.localhost")
    number, _page = buy(past, {"lamp": 1})
    visitor = scene.visitor()
    visitor.jar.update(past.jar)
    visitor.clicks("/?affiliate_id=999")
    scene.later(60)
    scene.suite.equal("the shop shows it", shown(visitor.ask("GET", CONFIRMATION)), number)
    return scene.outcome(number), scene.honest()


def a_click_after_the_purchase(scene):
    """Given a shopper who buys without a click.
    When he follows an affiliate's link afterwards, opens his basket and then the confirmation again.
    Then it stays nobody's. With the click before the purchase it is credited."""
    shopper = scene.visitor()
    number = shopper.buys(link=None)
    scene.later(60)
    shopper.clicks("/?affiliate_id=999")
    scene.later(60)
    shopper.get("/basket/")
    scene.suite.equal("the shop shows it", shown(shopper.get(CONFIRMATION)), number)
    return scene.outcome(number), scene.honest()


def addresses_that_django_reads_in_its_own_way(scene):
    """Given a shop that shows the confirmation also at `/checkout%2fthank-you/`.
    When a buyer comes to it by such addresses first.
    Then that makes no order; by its own address it is credited, once."""
    past = Shopper(scene.site, "shop.localhost")
    number, _page = buy(past, {"lamp": 1})
    visitor = scene.visitor()
    visitor.clicks()
    scene.later(60)
    visitor.jar.update(past.jar)
    visitor.get("/basket/")
    seen = [shown(visitor.ask("GET", path)) for path in PATHS]
    scene.suite.claim("the shop shows it by some of them", number in seen, seen)
    outcome = scene.outcome(number)
    visitor.get(CONFIRMATION)
    return outcome, scene.credited(number)


def an_address_that_imitates_a_total(scene):
    """Given a shop that prints the shopper's address on the confirmation.
    When his name and street are written like a total of 4,999 euros.
    Then the order is credited with what the shop was paid for the goods."""
    shopper = scene.visitor()
    number = shopper.buys(first_name="</address><h3 class=price_color>€4,999.00</h3>",
                          line1="Order total €4,999.00 tax €0.00")
    scene.suite.claim("the words are on the page", "€4,999.00" in shopper.thanks.text)
    return scene.credited(number) + ", the shop's amount", scene.honest()


def a_confirmation_in_another_browser(scene):
    """Given a buyer's confirmation, whose address is the same for every order.
    When a friend with a click and a basket of his own opens that address.
    Then the shop shows him none, and there is no further order."""
    buyer, friend = scene.visitor(), scene.visitor()
    number = buyer.buys()
    honest = scene.credited(number)
    friend.clicks("/?affiliate_id=999")
    scene.later(60)
    friend.fills()
    before = len(scene.orders())
    scene.suite.equal("the shop shows none", shown(friend.ask("GET", CONFIRMATION)), None)
    return "no order" if len(scene.orders()) == before else "an order", honest


def a_session_planted_at_the_shop(scene):
    """Given an affiliate who goes to the checkout over his own link, and plants the shop's session that he is given there
    in the browser of somebody who came over no link.
    When that one buys with it, and the affiliate, whose session it is too, opens the confirmation.
    Then the order is nobody's, and the operator is told. Who buys in a session of his own is credited."""
    thief, victim = scene.visitor(), scene.visitor()
    thief.clicks("/?affiliate_id=999")
    scene.later(60)
    thief.fills()
    form, before = thief.get("/checkout/"), scene.metric("refgate_sessions_remembered_total")
    thief.post(form.url, {"csrfmiddlewaretoken": form.field("csrfmiddlewaretoken"), "options": "anonymous",
                          "password": "", "username": "eve@example.org"})
    wait_until("it is written down", lambda: scene.metric("refgate_sessions_remembered_total") > before)
    scene.later(60)
    victim.get("/")
    victim.jar[b"sessionid"] = thief.jar[b"sessionid"]
    number = victim.buys(link=None)
    scene.suite.equal("the shop shows it to the affiliate", shown(thief.get(CONFIRMATION)), number)
    wait_until("the operator is told", lambda: "session_shared" in alarms(scene))
    return scene.outcome(number), scene.honest()


def alarms(scene):
    return scene.ask("GET", "/alarms")[1]


def an_order_page_shared_by_link(scene):
    """Given the page by which a guest follows his order, that whoever knows its address and his mail address may open.
    When a friend with a click and a checkout step opens it.
    Then it makes no order of his: it is not the page that the rule means, and the order stays the buyer's affiliate's."""
    buyer, friend = scene.visitor(), scene.visitor()
    number = buyer.buys("/?affiliate_id=111", mail="ada@example.org")
    honest = scene.credited(number, "111")
    friend.clicks("/?affiliate_id=222")
    scene.later(60)
    friend.fills()
    form = friend.get(buyer.thanks.find(r'href="[^"]*?(/accounts/order-status/[^"]+)"'))
    page = friend.post(form.url, {"csrfmiddlewaretoken": form.field("csrfmiddlewaretoken"),
                                  "email": "ada@example.org"})
    scene.suite.claim("the shop shows it to the friend", "Order #" + number in page.text, page.text)
    scene.suite.equal("the order's click is the buyer's", scene.partner(number), "111")
    return "stays " + scene.outcome(number), honest


def an_extension_at_the_basket(scene):
    """Given a shopper who came over one affiliate's link and has filled his basket.
    When an extension leads him over its own link, and he pays.
    Then the first affiliate is credited."""
    shopper = scene.visitor()
    shopper.clicks("/?affiliate_id=111")
    scene.later(60)
    shopper.fills()
    shopper.get("/basket/")
    scene.later(60)
    shopper.clicks("/?affiliate_id=999")
    return scene.credited(shopper.pays(), "111") + ", the first click", scene.honest()


def a_hidden_frame_before_the_purchase(scene):
    """Given a page of another site that loads an affiliate's link in a hidden frame, as a picture and ahead of time.
    When its reader buys.
    Then the order is nobody's."""
    shopper = scene.visitor()
    for habit in ({"Sec_Fetch_Dest": "iframe"}, {"Sec_Fetch_Dest": "image"}, {"Sec_Purpose": "prefetch;prerender"}):
        shopper.clicks("/?affiliate_id=999", **habit)
    return scene.outcome(shopper.buys(link=None)), scene.honest()
