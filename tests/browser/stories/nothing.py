"""What must not happen: pages that are not the shop's own, tokens that work where they should not."""
import re
import time
from urllib.parse import parse_qs, urlsplit

from scene import DOCUMENT, MARKER, US, body_of, url

SESSION = "Cookie: sid=0123456789abcdef0123456789abcdef"
TOKEN = rb"[?&](?:amp;)?refgate=[\w-]+"


def token(visitor, store):
    """The token of the page's link to a store."""
    visitor.open(url("us", "/countries"))
    link = visitor.script("return document.getElementById('link-%s').href" % store)
    return parse_qs(urlsplit(link).query)["refgate"][0]


def the_shops_own(visitor):
    """a visitor who came by no affiliate's link"""
    for path in ("/", "/countries", "/outward", "/moved?to=" + url("ca"), "/switch?to=" + url("ca"), "/nothing"):
        found, own = (fetch("us", path, [*DOCUMENT, SESSION]) for fetch in (visitor.gate.fetch, visitor.gate.fetch_from_shop))
        visitor.suite.claim("%s is the shop's own, byte by byte (%d bytes)" % (path, len(own)), found == own, (found, own))


def but_for_tokens(visitor):
    """a visitor who did"""
    visitor.land("us", 902)
    cookie = visitor.kept()[US]
    mine = "%s; %s=%s" % (SESSION, cookie["name"], cookie["value"])
    answer = visitor.gate.fetch("us", "/countries", [*DOCUMENT, mine])
    head, body = answer.partition(b"\r\n\r\n")[0], body_of(answer)
    own = body_of(visitor.gate.fetch_from_shop("us", "/countries", [*DOCUMENT, SESSION]))
    plain = re.sub(rb'<input type="hidden" name="refgate"[^>]*>', b"", re.sub(TOKEN, b"", body))
    visitor.suite.claim("his page is the shop's own but for tokens", body != own and plain == own, (plain, own))
    visitor.suite.claim("and no shared cache may keep it", re.search(rb"(?i)\r\ncache-control:[^\r]*(private|no-store)", head), head)
    where = re.findall(rb"<(\w+)[^>]*refgate=", body)
    visitor.suite.equal("tokens stand in links and forms, not in canonical and alternate links or in scripts",
                        sorted(set(where)), [b"a", b"form"])


def wrong(visitor):
    """tokens that are not good"""
    visitor.land("us", 903)
    ca = token(visitor, "ca")
    middle = len(ca) // 2
    altered = ca[:middle] + ("A" if ca[middle] != "A" else "B") + ca[middle + 1:]
    for text, store, given in (("a token for store.ca at store.uk", "uk", ca), ("an altered token", "ca", altered),
                               ("half a token", "ca", ca[:middle]),
                               ("a token twice", "ca", ca + "&refgate=" + ca)):
        visitor.forget()
        visitor.open(url(store, "/?refgate=" + given))
        visitor.suite.equal("%s makes no cookie" % text, visitor.ours(), [])
        visitor.suite.claim("and no error page", visitor.at(store, "home"), lambda: visitor.source)
    visitor.organic("the last of these", visitor.buy("ca"))


def aged(visitor):
    """a link is copied, and lies for more than the minute that tokens of this refgate last"""
    visitor.land("us", 904)
    expired.token, expired.since = token(visitor, "ca"), time.monotonic()


def expired(visitor):
    """that link is opened"""
    time.sleep(max(0, expired.since + 61 - time.monotonic()))
    visitor.open(url("ca", "/?refgate=" + expired.token))
    visitor.suite.equal("an expired token makes no cookie", [one for one in visitor.ours() if one != MARKER], [])
    visitor.suite.claim("and no error page", visitor.at("ca", "home"), lambda: visitor.source)
    visitor.organic("an expired token", visitor.buy("ca"))


def somebody_elses(visitor):
    """another person opens a link that a visitor copied"""
    visitor.land("us", 905)
    mine = visitor.credited("an order of the one who copied it", visitor.buy("us"), 905)["order"]
    copied = url("ca", "/?refgate=" + token(visitor, "ca"))
    with visitor.gate.visitor() as friend:
        friend.open(copied)
        order = friend.credited("an order of the other one", friend.buy("ca"), 905)["order"]
    visitor.suite.equal("the click has its own time", order["click"]["at"], mine["click"]["at"])
    visitor.suite.claim("the visit is another one", order["visit"] not in (None, mine["visit"]), (order, mine))


def the_shop_saw(scene):
    """Nothing of refgate's, in all stories: what it must not be told."""
    suite, log = scene.suite, scene.shop.log
    suite.claim("the shop was asked %d times" % len(log), len(log) > 200)
    for what, where in (("no address", lambda seen: seen["target"]), ("no form", lambda seen: seen["body"].decode())):
        suite.equal("%s had a parameter or a token" % what, [seen for seen in log if re.search(
            r"affiliate_id=|refgate=", where(seen))], [])
    told = [seen for seen in log if re.search(r"affiliate_id=|refgate=", seen["headers"].get("referer", ""))]
    print("        %d requests named a landing with its parameter or token as their Referer, as the browser wrote it" % len(told))
    cookies = [seen["headers"].get("cookie", "") for seen in log]
    suite.claim("its own cookies came to it, and none of refgate's", any("sid=" in line for line in cookies)
                and not any("refgate" in line for line in cookies), cookies)


def the_network_heard(scene):
    told = sorted((call["adv_unique1"], int(call["aff_id"])) for call in scene.network.calls)
    scene.suite.equal("the network was told of the orders above, each once, and of no other", told, sorted(scene.owed.items()))


STORIES = [the_shops_own, but_for_tokens, wrong, somebody_elses]
