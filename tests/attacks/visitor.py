"""Whoever comes to the shop: an honest shopper, or one who tries something."""
import itertools
import re
from decimal import Decimal

from client import AGENT, Shopper

BLOG = "https://blog.example/gear"
addresses = itertools.count(1)


class Visitor(Shopper):
    """Keeps cookies, and has an address and a program of his own; `scene` is where he is."""

    def __init__(self, scene, host="store-us", address=None, agent=AGENT):
        super().__init__(scene.front, host + ".localhost")
        self.scene, self.agent = scene, agent
        self.address = address or "203.0.%d.%d" % divmod(next(addresses), 250)
        self.elsewhere = {}

    def _send(self, method, url, body, headers):
        headers = {"X-Forwarded-For": self.address, "User-Agent": self.agent, **headers, **self.elsewhere}
        page = super()._send(method, url, body, headers)
        self.scene.pages.append(page)
        return page

    def ask(self, method, target, body=None, **headers):
        """One request as it stands, redirects not followed; `_` in a name is `-`."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(method, self.origin + target, body, headers)

    def clicks(self, link="/?affiliate_id=123456", **headers):
        """Comes over a link of another site."""
        self.last, self.elsewhere = None, {"Referer": BLOG, "Sec-Fetch-Site": "cross-site", **{
            name.replace("_", "-"): value for name, value in headers.items()}}
        page = self._follow("GET", link, None, {})
        self.elsewhere = {}
        return page

    def fills(self, *products):
        """Puts things into the cart, and is at the checkout then."""
        for product in products or ["wool-blanket"]:
            page = self.post("/cart", {"product": product, "buy": "now"})
        return page

    def at_the_checkout(self, link="/?affiliate_id=123456"):
        """Comes over a link and fills his cart; some time passes between and after. Himself."""
        self.clicks(link)
        self.scene.later(60)
        self.fills()
        self.scene.later(60)
        return self

    def pays(self, **fields):
        """Places the order; its number. A minute has passed since the last step."""
        self.scene.later(60)
        page = self.post("/checkout", fields)
        self.thanks = page
        return page.find(r'id="order-number">(\d+)<')

    def buys(self, link="/?affiliate_id=123456", products=(), **fields):
        """From the affiliate's link to the confirmation; the order's number. Without one the address was typed in."""
        if link:
            self.clicks(link)
        else:
            self.last = None
            self.get("/")
        self.scene.later(60)
        self.fills(*products)
        return self.pays(**fields)

    def is_given(self, number):
        """Places an order to which the shop, that thanks for any id, gives just this one."""
        self.thanks = self.looks(number)
        return number

    def looks(self, number, more=""):
        """Opens an order's confirmation by its address."""
        return self.ask("GET", "/checkout/thank-you/%s%s" % (number, more))

    @property
    def cookie(self):
        """refgate's own, if there is one."""
        return self.jar.get(b"refgate")


def subtotal(page):
    """What the shop's page says, as the network is to be told it."""
    rows = dict(re.findall(r'<tr class="(subtotal|discount)"><th>\w+</th><td>\$([\d,.]+)</td>', page.text))
    amount = lambda name: Decimal(rows.get(name, "0").replace(",", ""))  # noqa: E731
    return "%.2f" % (amount("subtotal") - amount("discount"))
