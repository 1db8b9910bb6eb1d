"""One honest shopper, from the affiliate's link to what he does with the confirmation.

A story is a generator: what it does is done at once, what it yields is how many seconds pass. `Truth` says of each order whose it
is: the affiliate's, or nobody's because nothing in the browser could tell (`nature`).
"""
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from habits import BROWSERS, CHECKOUT, CONSENT, HAPPENS, LANDING, STORES, THINKING
from shop import HOSTS, PAYMENT
from visitor import WEEK, Browser

BLOG, COUPONS = "https://blog.example/", "https://coupons.example/"
PAY = "https://%s/" % PAYMENT
IN_APP = "click in an app, purchase in the system's browser"


@dataclass
class Truth:
    owed: str | None
    nature: str | None = None
    browser: str | None = None  # none: came without a link
    tags: list = field(default_factory=list)


def chosen(random, table):
    names = list(table)
    weights = [table[name][0] if isinstance(table[name], tuple) else table[name] for name in names]
    return random.choices(names, weights)[0]


class Shopper:
    def __init__(self, scene, random, number, place, truths):
        self.scene, self.random, self.truths = scene, random, truths
        self.affiliate = str(100000 + 10 * number)
        self.browser_name, self.place = place.browser, place
        self.store = chosen(random, STORES)
        self.browser = Browser(scene, place.browser, place.address, self.happens("an extension refuses the cookie"))
        self.tags, self.owed, self.nature = [place.kind], self.affiliate, None
        if self.browser.blocks:
            self.nobodys("an extension refuses the cookie")
        self.checkout = chosen(random, CHECKOUT)
        self.thinking = chosen(random, THINKING)

    def happens(self, what):
        return self.random.random() * 100 < HAPPENS[what]

    def nobodys(self, nature):
        self.owed, self.nature = None, self.nature or nature

    def url(self, path):
        return "https://%s%s" % (HOSTS[self.store], path)

    def link(self, path="/", affiliate=None):
        return self.url("%s?affiliate_id=%s" % (path, affiliate or self.affiliate))

    def pause(self, least, most):
        return self.random.uniform(least, most)

    @property
    def is_app(self):
        return "app" in BROWSERS[self.browser_name][2]

    # -- the story

    def story(self):
        if self.checkout.startswith("wallet") or not self.happens("first link of all at the checkout"):
            yield from self.arrives()
            yield from self.thinks()
            yield from self.browses()
        else:
            self.tags.append("first link of all at the checkout")
            yield from self.looks_for_a_coupon()
        yield from self.buys()
        yield from self.afterwards()
        if self.happens("buys again"):
            self.tags = [*self.tags, "buys again"]
            yield self.pause(120, 7200)
            self.checkout = "pages, as a guest"
            self.browser.goes("/product/3")
            yield self.pause(5, 60)
            yield from self.buys()
        self.browser.close()

    def arrives(self):
        browser, how = self.browser, chosen(self.random, LANDING)
        if how.startswith("fetched ahead") and "ahead" not in browser.habits:
            how = "a page"
        self.tags.append(how)
        path = "/product/1" if how == "a product" or self.checkout.startswith("wallet") else "/"
        referer = None if self.is_app and self.random.random() < 0.5 else BLOG
        choice = chosen(self.random, CONSENT) if self.store == "eu" else None
        if choice == "had said yes before":
            self.consents("yes")
        if how.startswith("fetched ahead"):
            browser.fetches_ahead(self.link(path), "prefetch;prerender" if "without" in how else "prefetch")
            yield self.pause(0.2, 3)
        if how.endswith("without a request"):
            browser.page = self.link(path)
        else:
            browser.arrives(self.link(path), referer)
        if "two tabs" in how:
            yield self.pause(1, 5)
            browser.arrives(self.link(path), referer)
        if choice:
            yield from self.chooses(choice)

    def chooses(self, choice):
        browser = self.browser
        self.tags.append("consent: " + choice)
        yield self.pause(1, 6)
        if "gpc" in browser.habits:
            self.nobodys("consent refused (Sec-GPC)")
        elif choice == "refuses":
            self.consents("no")
            self.nobodys("consent refused")
        elif choice.startswith("says yes on the landing"):
            self.consents("yes")
            if "no-referer" in browser.habits:
                self.nobodys("consent after the landing, and no Referer")
        elif choice.startswith("says yes on a later"):
            browser.goes("/about")
            yield self.pause(2, 30)
            self.consents("yes")
            self.nobodys("consent after the landing had gone")

    def consents(self, word):
        """The shop's own script writes it."""
        jar = self.browser.jar.setdefault(HOSTS[self.store], {})
        jar["choice"] = ("ads=" + word, self.scene.now() + 365 * 86400, "lax")

    def thinks(self):
        _weight, least, most = THINKING[self.thinking]
        wait = self.pause(least, most)
        self.tags.append(self.thinking)
        if wait < 3600:
            yield wait
            return
        if not self.checkout.startswith("wallet") or wait > 86400:
            yield self.pause(3, 60)
            self.browser.goes("/product/1")
        yield wait
        if self.is_app:
            yield from self.moves_to(self.system(), IN_APP)
            return
        if wait > 30 * 86400:
            self.nobodys("after the window")
        forgets = "itp" in self.browser.habits and self.happens("browser forgets the site after a week")
        if wait > WEEK and forgets:
            self.browser.forget()
            self.nobodys("the browser has forgotten the site")
        self.browser.types(self.url("/product/1"))

    def browses(self):
        """What may come between the link and the checkout."""
        browser = self.browser
        quick = self.thinking.startswith("at once")
        wallet = self.checkout.startswith("wallet")
        if self.is_app and not quick and self.happens("app: goes on in the system's browser"):
            yield from self.moves_to(self.system(), IN_APP)
        elif not wallet and not quick and self.happens("cart from a mail in another browser"):
            browser.goes("/cart", {"product": "1"})
            yield self.pause(3600, 2 * 86400)
            yield from self.moves_to("Chrome, desktop", "cart from a mail in another browser", "/recover")
            return
        if not quick and self.happens("another affiliate's link before the checkout"):
            yield self.pause(30, 3600)
            other = self.another("another affiliate's link before the checkout")
            self.browser.arrives(self.link("/product/2", other), BLOG)
            self.credits(other)
            yield self.pause(6, 120)
        if self.store == "us" and not wallet and not quick and self.happens("changes the store"):
            yield from self.changes_store()
        if not quick and not wallet:
            self.browser.goes("/product/2")
            yield self.pause(3, 60)

    def system(self):
        return "Safari, iPhone" if "itp" in self.browser.habits else "Chrome, Android"

    def another(self, tag):
        self.tags.append(tag)
        return str(int(self.affiliate) + 1)

    def credits(self, other):
        """He follows another link: it is his last click, if one can be kept."""
        if not (self.nature or "").startswith(("an extension refuses the cookie", "consent refused")):
            self.owed, self.nature = other, None

    def moves_to(self, name, nature, path="/product/1"):
        """Another browser: nothing there can tell of the click."""
        self.browser.close()
        self.browser = Browser(self.scene, name, self.place.address)
        self.browser_name = name
        self.nobodys(nature)
        self.tags.append(nature)
        if self.store == "eu":
            self.consents("yes")
        self.browser.types(self.url(path))
        yield self.pause(5, 60)

    def changes_store(self):
        how = self.random.choice(["link", "redirect", "form by GET", "form by POST"])
        self.tags.append("changes the store by " + how)
        browser = self.browser
        page = browser.goes("/")
        yield self.pause(2, 30)
        there, token = "https://" + HOSTS["ca"], self.scene.token(page)
        with_token = lambda path: there + path + ("?refgate=" + token if token else "")  # noqa: E731
        if how == "redirect":
            browser.goes("/switch")
        elif how == "link":
            browser.goes(with_token("/product/2"))
        elif how == "form by GET":
            browser.goes(with_token("/from-form"))
        else:
            if "no-referer" in browser.habits:
                self.nobodys("changes the store by a form by POST, and no Referer")
            browser.goes(with_token("/posted"), {"go": "1"})
            yield 1
            browser.goes("/product/2")
        self.store = "ca"
        yield self.pause(2, 30)

    def looks_for_a_coupon(self):
        """He came by himself, and meets his first affiliate at the checkout: in a second tab, whose page then leads back there."""
        browser = self.browser
        if self.store == "eu":
            self.consents("yes")
            if "gpc" in browser.habits:
                self.nobodys("consent refused (Sec-GPC)")
        browser.types(self.url("/product/1"))
        yield self.pause(20, 300)
        browser.goes("/cart", {"product": "1"})
        yield self.pause(5, 60)
        browser.goes("/checkout")
        yield self.pause(15, 120)
        browser.arrives(self.link(), COUPONS)
        yield self.pause(3, 20)

    # -- the checkout

    def buys(self):
        browser, how = self.browser, self.checkout
        self.tags.append(how)
        hurry = 0.3 if self.thinking.startswith("at once") else 1
        step = lambda least, most: self.pause(least, most) * hurry  # noqa: E731
        if how.startswith("wallet"):
            yield self.pause(2, 6)
            there = self.scene.json(browser.fetches("/express", {"product": "1"}))["go"]
            yield self.pause(1, 4)
            self.confirmed(lambda: browser.goes(there))
            return
        if how.startswith("one page"):
            browser.fetches("/checkout/api/cart", {"product": "1"})
            yield step(3, 20)
            browser.goes("/checkout")
            yield step(10, 180)
            there = self.scene.json(browser.fetches("/checkout/api/place", {}))["go"]
            yield 0.3
            self.confirmed(lambda: browser.goes(there))
            return
        browser.goes("/cart", {"product": "1"})
        yield step(2, 20)
        browser.goes("/checkout")
        yield step(5, 90)
        yield from self.on_the_way()
        if how.startswith("pages"):
            self.confirmed(lambda: browser.goes("/checkout", {"pay": "1"}))
            return
        yield from self.pays_elsewhere(how)

    def on_the_way(self):
        """What happens between the cart and the payment."""
        browser = self.browser
        if self.happens("coupon"):
            browser.goes("/cart/coupon", {"code": "TEN"})
            yield self.pause(2, 30)
        if self.happens("another affiliate's link at the checkout"):
            other = self.another("another affiliate's link at the checkout")
            page, knows = browser.page, self.owed
            browser.arrives(self.link("/", other), COUPONS)
            if not knows:
                self.credits(other)
            yield self.pause(2, 20)
            browser.comes_back(page)
            yield self.pause(5, 60)
        if self.happens("changes the network"):
            self.tags.append("changes the network")
            self.place.move(browser)
            yield self.pause(5, 60)
        if self.happens("leaves the checkout over night"):
            self.tags.append("leaves the checkout over night")
            yield self.pause(8 * 3600, 30 * 3600)

    def pays_elsewhere(self, how):
        browser = self.browser
        answer = browser.goes("/checkout/hosted", {"pay": "1"})
        number = urlsplit(answer.get("location")).query.partition("=")[2]
        if how.startswith("paid by a link"):
            yield self.pause(3600, 3 * 86400)
            browser.types(self.url("/checkout/pay?order=" + number))
        yield self.pause(20, 240)
        if self.happens("changes the network"):
            self.tags.append("changes the network at the payment")
            self.place.move(browser)
        back = "/payment/return?order=" + number
        if how.startswith("bank's app"):
            other = Browser(self.scene, "Firefox", self.place.address)
            self.confirmed(lambda: other.types(self.url(back + "&then=key")), how)
            other.close()
        elif how.endswith("by POST, confirmed in the answer"):
            nature = "payment page by POST, no session_cookie" if self.store == "uk" else None
            self.confirmed(lambda: browser.arrives(self.url("/payment/return"), PAY, {"order": number}), nature)
        elif "by POST" in how:
            self.confirmed(lambda: browser.arrives(self.url("/payment/return"), PAY, {"order": number, "then": "page"}))
        else:
            self.confirmed(lambda: browser.arrives(self.url(back), PAY))

    def confirmed(self, opens, nature=None):
        """He sees his confirmation; from here on it is known whose the order is: nobody's by `nature`, where that is said."""
        answer = opens()
        number = self.scene.number(answer)
        self.number, self.confirmation = number, answer.url
        owed = None if nature else self.owed
        self.truths[number] = Truth(owed, self.nature or nature, self.browser_name, [self.browser_name, *self.tags])

    # -- what he does with the confirmation

    def afterwards(self):
        browser, page = self.browser, "/checkout/thank-you/" + self.number
        if self.happens("reloads"):
            for _again in range(self.random.randint(1, 3)):
                yield self.pause(1, 600)
                if browser.page == self.url(page):
                    browser.reloads()
        if self.happens("comes back by the back button"):
            browser.goes("/")
            yield self.pause(2, 60)
            browser.comes_back(self.url(page))
        if self.happens("tab restored the next day"):
            yield self.pause(8 * 3600, 30 * 3600)
            if not self.place.is_shared:
                self.place.move(browser)
            browser.comes_back(self.url(page))
        key = page + "?key=" + self.scene.shop.orders[self.number]["key"]
        if self.happens("opens the mail's link in another browser"):
            yield self.pause(60, 7200)
            other = Browser(self.scene, "Chrome, desktop", self.place.address)
            other.types(self.url(key))
            other.close()
        if self.happens("hands the confirmation to a friend who has a click of his own"):
            friend = Browser(self.scene, "Safari, iPhone", self.place.elsewhere())
            friend.arrives(self.link("/", str(int(self.affiliate) + 2)), BLOG)
            yield self.pause(60, 7200)
            friend.types(self.url(key))
            friend.close()


def bystander(scene, browser, truths, store, random):
    """A shopper without any affiliate, from an address that others share."""
    host = "https://" + HOSTS[store]
    browser.types(host + "/product/1")
    yield random.uniform(20, 600)
    answer = browser.goes("/checkout", {"pay": "1"})
    truths[scene.number(answer)] = Truth(None, "came without a link")
    browser.close()
