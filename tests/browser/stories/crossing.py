"""From one store to another: the affiliate comes along on every way that the shop offers."""
from scene import CA, US, url
from shop import EVIL, HOSTS
from suite import wait_until

WAYS = ["redirect", "link", "get", "post", "switch", "refresh"]


def by(way, affiliate):
    """A story: a click at store.us, an order there, the way to store.ca, an order there."""
    def story(visitor):
        visitor.land("us", affiliate)
        before = visitor.credited("an order at the first store", visitor.buy("us"), affiliate)["order"]
        visitor.since()
        visitor.cross(way, "ca")
        shown = visitor.url
        after = visitor.credited("by %s to store.ca" % way, visitor.buy("ca"), affiliate)["order"]
        suite = visitor.suite
        suite.equal("its click has the time that it had at store.us", after["click"]["at"], before["click"]["at"])
        suite.claim("its visit is another one", after["visit"] and after["visit"] != before["visit"], (before, after))
        suite.claim("until the next page the address shows the token: %s…" % shown[:48], "refgate=" in shown, shown)
        suite.equal("each domain has its own cookie of refgate's", visitor.ours(), [US, CA])
        cookie = visitor.kept().get(CA, {})
        suite.equal("the one of store.ca is HttpOnly, Secure and SameSite=Lax", [
            cookie.get(name) for name in ("httpOnly", "secure", "sameSite")], [True, True, "Lax"])
    story.__doc__ = "by " + way
    return story


def posted(visitor):
    """by a POST to store.ca, whose shop leads on from it"""
    visitor.land("us", 107)
    visitor.cross("enter", "ca")
    visitor.credited("a POST from another site brings no cookie to compare with: the page that it leads to reads the token",
                     visitor.buy("ca"), 107)


def moved(visitor):
    """the affiliate's link leads to a page that has moved to store.ca"""
    visitor.land("us", 301, "/go", ("ca", "home"))
    visitor.credited("the click that was captured in this very redirect comes along", visitor.buy("ca"), 301)


def newest(visitor):
    """both stores have a click"""
    suite = visitor.suite
    visitor.land("us", 401)
    visitor.land("ca", 402)
    visitor.open(url("us"))
    visitor.cross("link", "ca")
    visitor.credited("the older click of store.us does not replace the newer one of store.ca", visitor.buy("ca"), 402)
    visitor.cross("link", "us")
    visitor.credited("the newer click of store.ca replaces the older one of store.us", visitor.buy("us"), 402)
    visitor.forget()
    visitor.land("ca", 403)
    visitor.land("us", 404)
    visitor.cross("redirect", "ca")
    first = visitor.credited("the newer click of store.us replaces the older one of store.ca", visitor.buy("ca"), 404)
    visitor.cross("redirect", "us")
    second = visitor.credited("and is still store.us's own when it comes back", visitor.buy("us"), 404)
    suite.equal("with the same time", second["order"]["click"]["at"], first["order"]["click"]["at"])


def third(visitor):
    """from store.us by store.ca to store.uk, where the visitor never was"""
    visitor.land("us", 501)
    visitor.cross("link", "ca")
    visitor.cross("link", "uk")
    visitor.credited("an order at the third store", visitor.buy("uk"), 501)


def one_domain(visitor):
    """www. and shop. of one domain share a cookie"""
    visitor.land("us", 701)
    visitor.since()
    visitor.cross("link", "us-shop")
    visitor.credited("an order at shop.store-us.example", visitor.buy("us-shop"), 701)
    visitor.suite.equal("no address carries a token", [seen for seen in visitor.since() if "refgate" in seen], [])
    visitor.suite.equal("one cookie is all, of the domain", visitor.ours(), [US])


def back_from_payment(visitor):
    """a payment page of another site brings the visitor back by POST"""
    visitor.land("us", 1001)
    number = visitor.buy("us", "#pay")
    back = next(seen for seen in reversed(visitor.scene.shop.log) if seen["target"] == "/thanks")
    visitor.suite.equal("the shop shows the order in its answer to the POST", back["method"], "POST")
    story = visitor.credited("without refgate's cookie, by the shop's session", number, 1001)
    visitor.suite.claim("as is explained: %s" % story["order"]["why"], "by the shop's session" in story["order"]["why"], story)
    visitor.forget()
    visitor.land("ca", 1002)
    visitor.organic("at a store whose session cookie is not named", visitor.buy("ca", "#pay"))


def to_nobody(visitor):
    """an open redirect, and links, to what looks like a store"""
    suite, outside = visitor.suite, visitor.scene.outside
    visitor.land("us", 901)
    asked = len(outside.log)
    for target in EVIL:
        visitor.script("location = '/switch?to=' + encodeURIComponent(%r)" % target)
        wait_until("the redirect has led somewhere", lambda: visitor.has("#evil") or "/switch" not in visitor.url)
        suite.claim("the redirect to %r leads out, without a token" % target,
                    visitor.has("#evil") and "refgate" not in visitor.url, lambda: visitor.url)
        visitor.open(url("us"))
    visitor.open(url("us", "/outward"))
    links = visitor.script("return [...document.links].map(a => [a.host, a.href])")
    suite.equal("no link of that page is a store's but the shop's own", {host for host, _ in links if host in HOSTS.values()},
                {HOSTS["us"]})
    suite.equal("no link has a token", [link for _, link in links if "refgate" in link], [])
    suite.claim("nor has anybody outside got one", len(outside.log) - asked >= len(EVIL)
                and not [seen for seen in outside.log if "refgate" in str(seen)], lambda: outside.log[asked:])


STORIES = [by(way, 101 + number) for number, way in enumerate(WAYS)] + [
    posted, moved, newest, third, one_domain, back_from_payment, to_nobody]
