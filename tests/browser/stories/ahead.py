"""Ahead of time: a page that the browser fetched, and perhaps rendered, before anybody asked for it."""
from scene import US, url
from suite import wait_until


def offers(visitor, way, affiliate):
    """A page of store.us that has a partner's link fetched; returns the shop's requests for it so far, as a function."""
    began = len(visitor.scene.shop.log)

    def asked():
        return [seen for seen in visitor.scene.shop.log[began:] if seen["target"] == "/"]

    visitor.open(url("us", "/offers?way=%s&partner=%d" % (way, affiliate)))
    first = wait_until("the browser fetches ahead", asked, 20)[0]
    purpose = first["headers"].get("sec-purpose", "")
    visitor.suite.claim("the browser says that it is a %s: %s" % (way, purpose), purpose.startswith("prefetch")
                        and ("prerender" in purpose) == (way == "prerender"), first)
    return asked


def shown(visitor):
    """a landing is rendered ahead of time, and then shown"""
    suite = visitor.suite
    asked = offers(visitor, "prerender", 801)
    suite.equal("rendering ahead captures nothing", visitor.ours(), [])
    visitor.go("#offer", "us", "home")
    began = visitor.script("return performance.getEntriesByType('navigation')[0].activationStart")
    suite.claim("a click shows the page that was rendered ahead", began > 0, began)
    suite.equal("nobody was asked again, so there is no click yet", (len(asked()), visitor.ours()), (1, []))
    visitor.go("#product-link", "us", "product")
    suite.equal("the next page captures it", visitor.ours(), [US])
    visitor.credited("a landing that was rendered ahead", visitor.buy("us"), 801)


def never_shown(visitor):
    """a landing is rendered ahead of time, and never shown"""
    offers(visitor, "prerender", 802)
    visitor.organic("rendered ahead and never shown", visitor.buy("us"))


def fetched(visitor):
    """a landing is fetched ahead of time"""
    offers(visitor, "prefetch", 803)
    visitor.suite.equal("fetching ahead captures nothing", visitor.ours(), [])
    visitor.organic("fetched ahead and never shown", visitor.buy("us"))
    visitor.forget()
    asked = offers(visitor, "prefetch", 804)
    visitor.go("#offer", "us", "home")
    visitor.credited("fetched ahead and then shown (%d requests)" % len(asked()), visitor.buy("us"), 804)


STORIES = [shown, never_shown, fetched]
