"""The shop's bytes, whatever was tried."""
import re

from shop import plain

# What refgate says to caches, where an answer is one visitor's.
CACHING = ("cache-control", "expires")
LINK = re.compile(r"\b(affiliate_id|(shadow|slow|strict|echo)_id|refgate)=")
FRAMING = ("connection", "keep-alive", "date", "server", "transfer-encoding", "content-length")


def ours(cookie):
    return cookie.startswith("refgate=")


def fields(headers, without):
    """Names and values in their order, but for those and for refgate's cookie."""
    pairs = [(name.lower(), value) for name, value in headers]
    return [(name, value) for name, value in pairs
            if name not in without and not (name == "set-cookie" and ours(value))]


def is_own(page):
    """Whether it is one visitor's: he was known, or is from here on, or came over a link."""
    known = any(ours(pair) for pair in page.sent.decode("latin-1").split("; "))
    return known or any(ours(cookie.decode("latin-1")) for cookie in page.cookies) or "_id" in page.url \
        or "refgate=" in page.url


def same(page, answer):
    """Whether the visitor has what the shop sent. One's own page may be gzip that was undone and done again, for a link
    to another store might stand in it; a redirect there carries his token."""
    empty = page.method == "HEAD" or answer.status == 304
    without = FRAMING
    if is_own(page):
        without += CACHING + (("location",) if "/switch" in page.url else ())
        bodies = empty or page.text == plain(answer)
    else:
        bodies = page.raw == (b"" if empty else answer.body)
    return page.status == answer.status and bodies and \
        fields(page.headers.items(), without) == fields(answer.headers, without)


def claims(scene):
    from_shop = [page for page in scene.pages if page.headers["X-Answer"]]
    changed = [(page.method, page.url, page.headers.items()) for page in from_shop
               if not same(page, scene.shop.answered[int(page.headers["X-Answer"])])]
    scene.suite.claim("%d answers are the shop's own" % len(from_shop), from_shop and not changed, lambda: changed[:3])
    strangers = sum(not is_own(page) for page in from_shop)
    scene.suite.claim("to the byte where nobody has a visit (%d)" % strangers, strangers)
    # A store without siblings takes no token, so that a parameter of its name is the shop's own.
    asked = [asked for asked in scene.shop.asked.values() if not dict(asked[2])["Host"].startswith("other.")]
    told = [target for _method, target, _headers, _body in asked if LINK.search(target)]
    scene.suite.equal("the shop sees no affiliate's link", told, [])
    cookies = [value for _method, _target, headers, _body in asked for name, value in headers
               if name.lower() == "cookie" and any(ours(pair) for pair in value.split("; "))]
    scene.suite.equal("the shop sees no cookie of refgate's", cookies, [])
