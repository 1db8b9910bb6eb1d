"""Asking: a visitor nobody knows at this store is sent through the store that may know him, once."""
import time

from scene import MARKER, url
from shop import HOSTS
from suite import wait_until

BLOCKED = {"profile.default_content_setting_values.cookies": 2}
PAGES = 24  # of a browser that takes no cookies: more than the 20 hops that prove something


def hosts(documents):
    return [seen.split("/")[2] for seen in documents]


THERE_AND_BACK = [HOSTS["ca"], HOSTS["us"], HOSTS["ca"]]


def by_script(visitor):
    """a script leads to store.ca"""
    visitor.land("us", 201)
    before = visitor.credited("an order at the first store", visitor.buy("us"), 201)["order"]
    visitor.click("#countries-link")
    wait_until("the countries are shown", lambda: visitor.has("#script-ca"), 20)
    visitor.since()
    visitor.go("#script-ca", "ca", "home")
    visitor.suite.equal("store.us is asked, once", hosts(visitor.since()), THERE_AND_BACK)
    after = visitor.credited("by a script to store.ca", visitor.buy("ca"), 201)["order"]
    visitor.suite.equal("its click has the time that it had at store.us", after["click"]["at"], before["click"]["at"])


def by_address(visitor):
    """the address of store.ca is typed"""
    visitor.land("us", 202)
    visitor.since()
    visitor.open(url("ca", "/products/1?size=42&colour=r%C3%A9d"))
    visitor.suite.equal("store.us is asked, once", hosts(visitor.since()), THERE_AND_BACK)
    asked = visitor.scene.shop.log[-1]
    visitor.suite.equal("the shop is asked for what was typed, and once", (asked["host"], asked["target"]),
                        (HOSTS["ca"], "/products/1?size=42&colour=r%C3%A9d"))
    visitor.credited("by a typed address to store.ca", visitor.buy("ca"), 202)
    visitor.suite.equal("nobody asks again", set(hosts(visitor.since())), {HOSTS["ca"]})


def unknown(visitor):
    """a visitor without a click"""
    suite = visitor.suite
    visitor.since()
    visitor.open(url("us"))
    suite.equal("the store that is asked asks nobody", hosts(visitor.since()), [HOSTS["us"]])
    visitor.open(url("ca"))
    suite.equal("another one asks", hosts(visitor.since()), THERE_AND_BACK)
    visitor.open(url("ca", "/products/1"))
    visitor.open(url("ca"))
    suite.equal("and does not ask again", hosts(visitor.since()), [HOSTS["ca"]] * 2)
    suite.equal("the marker is all that is kept", visitor.ours(), [MARKER])
    visitor.organic("a visitor without a click", visitor.buy("ca"))
    for headers in (["Sec-Fetch-Dest: empty", "Sec-Fetch-Mode: cors"], []):
        answer = visitor.gate.fetch("ca", "/", headers)
        suite.claim("what does not say that it is a page for a person is not sent anywhere: %s" % headers,
                    answer.startswith(b"HTTP/1.1 200"), answer[:300])


def without_cookies(visitor):
    """a browser that takes no cookies"""
    visitor.since()
    for number in range(PAGES):
        visitor.open(url("ca", "/?page=%d" % number))
        if number == 0:
            visitor.suite.equal("its first page costs one hop, and is shown", hosts(visitor.since()), THERE_AND_BACK)
            visitor.suite.claim("as the shop's own", visitor.at("ca", "home"), visitor.url)
    seen = hosts(visitor.since())
    visitor.suite.claim("no page costs more: %d documents for %d pages" % (len(seen), PAGES - 1),
                        len(seen) <= 3 * (PAGES - 1), seen)
    visitor.suite.equal("no cookie is kept", visitor.ours(), [])


def given_up(visitor):
    """most hops came back without the marker; a minute later, as refgate judges by the minutes before the present one"""
    time.sleep(max(0, given_up.since + 61 - time.monotonic()))
    before = visitor.gate.count("stores_asked")
    visitor.since()
    for number in range(3):
        visitor.open(url("ca", "/?late=%d" % number))
    visitor.suite.equal("nobody is sent any more", hosts(visitor.since()), [HOSTS["ca"]] * 3)
    visitor.suite.equal("which is counted once", (visitor.gate.count("hops_fail"), visitor.gate.count("stores_asked") - before),
                        (1, 0))
    visitor.suite.claim("and logged", "for an hour nobody is sent any more" in visitor.suite.log(visitor.gate.name),
                        lambda: visitor.suite.log(visitor.gate.name)[-2000:])


STORIES = [by_script, by_address, unknown]
