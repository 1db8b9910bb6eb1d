"""HTTP/2 heads and bodies that are malformed (RFC 9113 §8.1.1): none of them reaches the shop."""

import re

from harness.cases import Failed, add, case
from harness.h2 import DATA, END_STREAM

M, S, P, A = (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/x"), (b":authority", b"shop.test")
HEAD = [M, S, P, A]
POST = [(b":method", b"POST"), S, P, A]


def refused(t, h2, stream, clean=False):
    """A stream error, a connection error or a 4xx; the shop got nothing, or (`clean`) only what is well-formed."""
    reply = h2.replies[stream]
    h2.until(lambda: reply.ended or reply.reset is not None or h2.goaway is not None, 6)
    requests = t.upstream.requests
    for request in requests:
        host = re.match(rb"[a-z0-9.-]+(:[0-9]+)?\Z", request.get(b"host") or b"")
        if request.faults or not host or request.target != b"/x" or b"smuggled" in request.head:
            raise Failed("a doubtful request reached the shop: %r %r" % (request, request.head))
    stray = b"".join(t.upstream.leftovers())
    if stray:
        raise Failed("stray bytes reached the shop: %r" % stray[:300])
    told = reply.reset is not None or h2.goaway is not None or h2.reader.end or reply.status >= 400
    if reply.status >= 500 and requests:
        raise Failed("the shop did not like it, not the proxy: %r %r" % (reply, requests))
    if not told and not (clean and reply.clean and len(requests) == 1 and requests[0].complete):
        raise Failed("expected a refusal; seen %r, goaway %r, at the shop %r" % (reply, h2.goaway, requests))
    if told and not clean and [request for request in requests if request.complete]:
        raise Failed("refused, and yet a whole request reached the shop: %r" % requests)
    t.probe()


MALFORMED = [
    ("no-method", [S, P, A]),
    ("no-scheme", [M, P, A]),
    ("no-path", [M, S, A]),
    ("no-pseudo-at-all", [(b"x", b"y")]),
    ("method-twice", [M, M, S, P, A]),
    ("path-twice", [M, S, P, (b":path", b"/smuggled"), A]),
    ("authority-twice", [M, S, P, A, (b":authority", b"evil.test")]),
    ("scheme-twice", [M, S, S, P, A]),
    ("path-empty", [M, S, (b":path", b""), A]),
    ("method-empty", [(b":method", b""), S, P, A]),
    ("unknown-pseudo", HEAD + [(b":own", b"x")]),
    ("status-in-a-request", HEAD + [(b":status", b"200")]),
    ("pseudo-after-field", [M, S, P, (b"x", b"y"), A]),
    ("pseudo-last", [(b"x", b"y"), M, S, P, A]),
    ("name-upper-case", HEAD + [(b"X-Upper", b"1")]),
    ("name-empty", HEAD + [(b"", b"1")]),
    ("name-space", HEAD + [(b"x y", b"1")]),
    ("name-colon", HEAD + [(b"x:y", b"1")]),
    ("name-crlf", HEAD + [(b"x: 1\r\nsmuggled", b"1")]),
    ("name-lf", HEAD + [(b"x\nsmuggled", b"1")]),
    ("name-nul", HEAD + [(b"x\0y", b"1")]),
    ("name-del", HEAD + [(b"x\x7f", b"1")]),
    ("name-high-byte", HEAD + [(b"x\xe9", b"1")]),
    ("value-crlf", HEAD + [(b"x", b"1\r\nsmuggled: 1")]),
    ("value-lf", HEAD + [(b"x", b"1\nsmuggled: 1")]),
    ("value-cr", HEAD + [(b"x", b"1\rsmuggled: 1")]),
    ("value-nul", HEAD + [(b"x", b"1\0smuggled")]),
    ("value-request", HEAD + [(b"x", b"1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test")]),
    ("path-crlf", [M, S, (b":path", b"/x HTTP/1.1\r\nsmuggled: 1\r\nx: "), A]),
    ("path-space", [M, S, (b":path", b"/x smuggled"), A]),
    ("path-no-slash", [M, S, (b":path", b"smuggled"), A]),
    ("path-absolute", [M, S, (b":path", b"http://evil.test/x"), A]),
    ("path-star-on-get", [M, S, (b":path", b"*"), A]),
    ("path-nul", [M, S, (b":path", b"/x\0"), A]),
    ("method-crlf", [(b":method", b"GET /smuggled HTTP/1.1\r\nx:"), S, P, A]),
    ("method-space", [(b":method", b"GET /smuggled"), S, P, A]),
    ("authority-crlf", [M, S, P, (b":authority", b"shop.test\r\nsmuggled: 1")]),
    ("authority-space", [M, S, P, (b":authority", b"shop.test smuggled")]),
    ("authority-slash", [M, S, P, (b":authority", b"shop.test/smuggled")]),
    ("authority-userinfo", [M, S, P, (b":authority", b"user:x@shop.test")]),
    ("scheme-crlf", [M, (b":scheme", b"https\r\nsmuggled: 1"), P, A]),
    ("scheme-url", [M, (b":scheme", b"http://shop.test/smuggled?"), P, A]),
    ("host-and-authority-differ", HEAD + [(b"host", b"evil.test")]),
    ("host-twice", [M, S, P, (b"host", b"shop.test"), (b"host", b"evil.test")]),
    ("no-host-at-all", [M, S, P]),
    ("connection", HEAD + [(b"connection", b"close")]),
    ("connection-named", HEAD + [(b"connection", b"x-a"), (b"x-a", b"1")]),
    ("transfer-encoding", HEAD + [(b"transfer-encoding", b"chunked")]),
    ("keep-alive", HEAD + [(b"keep-alive", b"timeout=5")]),
    ("proxy-connection", HEAD + [(b"proxy-connection", b"keep-alive")]),
    ("upgrade", HEAD + [(b"upgrade", b"websocket")]),
    ("te-gzip", HEAD + [(b"te", b"gzip")]),
    ("connect", [(b":method", b"CONNECT"), (b":authority", b"shop.test:80")]),
    ("connect-with-path", [(b":method", b"CONNECT"), S, P, A]),
    ("protocol-without-connect", HEAD + [(b":protocol", b"websocket")]),
    ("content-length-word", HEAD + [(b"content-length", b"x")]),
    ("content-length-minus", HEAD + [(b"content-length", b"-1")]),
    ("content-length-without-body", HEAD + [(b"content-length", b"5")]),
]
# What RFC 9113 calls malformed and what can be passed on without harm, if it is made clean on the way.
LENIENT = {
    "connection",
    "connection-named",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "te-gzip",
    "transfer-encoding",
    "no-host-at-all",
    "host-and-authority-differ",
    "name-upper-case",
    "scheme-twice",
    "authority-userinfo",
    "scheme-url",
    "path-absolute",
}

for name, fields in MALFORMED:

    def run(t, fields=fields, clean=name in LENIENT):
        h2 = t.h2()
        refused(t, h2, h2.literal(fields), clean)

    add("h2", "malformed-" + name, run)


def body(name, length, pieces, trailers=None):
    """A Content-Length that is not what comes."""

    def run(t):
        h2 = t.h2()
        stream = h2.literal(POST + length, end=False)
        for at, piece in enumerate(pieces):
            h2.frame(DATA, END_STREAM if at == len(pieces) - 1 and trailers is None else 0, stream, piece)
        if trailers is not None:
            h2.literal(trailers, stream=stream)
        reply = h2.replies[stream]
        h2.until(lambda: reply.ended or reply.reset is not None or h2.goaway is not None, 6)
        # A length of 0 is a whole request before the first byte too many comes.
        whole = [request for request in t.upstream.requests if request.complete and length != [(CL, b"0")]]
        t.check(not whole, "a whole request reached the shop", whole, whole and whole[0].body)
        t.check(reply.status != 200 or length == [(CL, b"0")], "expected a refusal", reply)
        t.check(
            b"smuggled" not in b"".join(request.start for request in t.upstream.requests),
            "smuggled",
            t.upstream.requests,
        )
        t.probe()

    add("h2", "malformed-" + name, run)


CL = b"content-length"
body("length-too-short", [(CL, b"3")], [b"hello"])
body("length-too-long", [(CL, b"10")], [b"hello"])
body("length-too-short-smuggling", [(CL, b"0")], [b"GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n"])
body("length-and-no-data", [(CL, b"5")], [b""])
body("length-two-differing", [(CL, b"5"), (CL, b"6")], [b"hello"])
body("length-too-long-with-trailers", [(CL, b"10")], [b"hello"], [(b"x-sum", b"1")])
body("trailers-with-pseudo", [], [b"hello"], [(b":path", b"/smuggled")])
body("trailers-with-crlf", [], [b"hello"], [(b"x", b"1\r\nsmuggled: 1")])


@case("h2", "transfer-encoding-chunked-with-a-chunked-body")
def te_body(t):
    """H2.TE: the body looks like chunks. Refused, or the field is dropped and the bytes are just bytes."""
    h2 = t.h2()
    data = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n"
    stream = h2.literal(POST + [(b"transfer-encoding", b"chunked")], end=False)
    h2.data(stream, data)
    h2.reply(stream, 5)
    for request in t.upstream.requests:
        t.check(not request.faults and request.target == b"/x", "smuggled", request, request.head)
        t.check(not request.complete or request.body == data, "the body is another", request.body)
    t.probe()


@case("h2", "trailers-without-end-stream")
def trailers_open(t):
    h2 = t.h2()
    stream = h2.literal(POST, end=False)
    h2.data(stream, b"hello", end=False)
    h2.literal([(b"x-sum", b"1")], end=False, stream=stream)
    reply = h2.replies[stream]
    h2.until(lambda: reply.ended or reply.reset is not None or h2.goaway is not None, 6)
    t.check(reply.status != 200, "expected a refusal", reply)
    t.probe()
