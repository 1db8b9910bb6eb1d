"""Whether the shop and its shoppers have each other's bytes: by a tap before the shop, and what the shoppers kept."""
import zlib
from collections import Counter

from tap import first


def ours(name):
    return b"refgate" in name.lower()


def decoded(body, coding):
    return zlib.decompress(body, 47) if coding in (b"gzip", b"deflate") else body


def fields(pairs):
    """All of a head that is not about the connection."""
    return tuple(pair for pair in pairs if pair[0].lower() not in (b"connection", b"keep-alive", b"transfer-encoding"))


def same_bytes(suite, tap, shoppers):
    """What the shop sent and got, against what the shoppers got and sent; the cookies that the shop set, counted."""
    exchanges = tap.exchanges()
    pages = [page for shopper in shoppers for page in shopper.pages]
    sent = Counter(value for _request, response in exchanges
                   for name, value in response["headers"] if name.lower() == b"set-cookie")
    got = Counter(line for page in pages for line in page.cookies if not ours(line.partition(b"=")[0]))
    suite.claim("each of the shop's Set-Cookie lines arrives byte for byte (%d)" % sum(sent.values()), sent == got,
                lambda: "lost %r, new %r" % (sent - got, got - sent))
    back = Counter(first(request["headers"], b"cookie") or b"" for request, _response in exchanges)
    told = Counter(b"; ".join(pair for pair in page.sent.split(b"; ") if not ours(pair.partition(b"=")[0]))
                   for page in pages)
    suite.claim("the shop gets its own cookies byte for byte, and none of refgate's", back == told,
                lambda: "lost %r, new %r" % (told - back, back - told))
    # Who has a visit gets gzip that was undone and done again, for there is another store that a link may lead to.
    bodies = Counter(decoded(response["body"], first(response["headers"], b"content-encoding"))
                     for _request, response in exchanges)
    had = Counter(decoded(page.raw, (page.headers["Content-Encoding"] or "").encode()) for page in pages)
    suite.equal("each body arrives byte for byte (%d)" % len(pages), had == bodies, True)
    whole = Counter((fields(response["headers"]), response["body"]) for _request, response in exchanges)
    strangers = [page for shopper in shoppers if not any(ours(name) for name in shopper.jar)
                 for page in shopper.pages if "affiliate_id=" not in page.url]
    strange = Counter((fields((name.encode("latin-1"), value.encode("latin-1")) for name, value in page.headers.items()),
                       page.raw) for page in strangers)
    suite.claim("heads and bodies arrive byte for byte where nobody has a visit (%d)" % sum(strange.values()),
                strange and not strange - whole, lambda: [head for head, _body in strange - whole])
    return sent
