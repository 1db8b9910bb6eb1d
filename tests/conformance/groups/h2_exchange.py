"""One exchange over HTTP/2: heads, bodies and trailers both ways."""

from groups.h2_handshake import good
from harness.cases import add, case
from harness.h2 import MAX_STREAMS, PING
from harness.upstream import ok
from harness.wire import chunked

# -- exchanges


@case("h2", "get")
def get(t):
    h2 = t.h2()
    good(t, h2.get(b"/x?a=b"), b"GET /x?a=b\n")
    request = t.one_request()
    t.equal("the request line", request.start, b"GET /x?a=b HTTP/1.1")
    t.equal("Host", request.get(b"host"), b"shop.test")
    t.check(not request.all(b"content-length") and not request.coded, "a GET with a body", request.head)
    t.equal("X-Forwarded-Proto", request.get(b"x-forwarded-proto"), b"https")
    t.equal("X-Forwarded-For", request.get(b"x-forwarded-for"), b"127.0.0.1")


@case("h2", "settings-and-ping-are-answered")
def settings_ping(t):
    h2 = t.h2()
    h2.frame(PING, 0, 0, b"12345678")
    t.check(
        h2.until(lambda: h2.pongs and h2.acknowledged and h2.settings is not None),
        "SETTINGS, its ACK and PONG",
        h2.pongs,
        h2.settings,
    )
    t.equal("the pong", h2.pongs, [b"12345678"])


@case("h2", "stream-limit-is-announced")
def limit(t):
    h2 = t.h2()
    h2.ready()
    t.check(0 < h2.settings.get(MAX_STREAMS, 1 << 32) <= 1000, "SETTINGS_MAX_CONCURRENT_STREAMS", h2.settings)


for name, size, announced in (
    ("with-length", 100000, True),
    ("without-length", 100000, False),
    ("empty", 0, True),
    ("of-5-mib", 5 << 20, True),
):

    def run(t, size=size, announced=announced):
        body = (bytes(range(256)) * (size // 256 + 1))[:size]
        t.answers_with(lambda request: ok(request.body))
        h2 = t.h2()
        h2.ready()
        stream = h2.request(
            end=not size and not announced,
            whole=h2.head(b"POST", fields=[(b"content-length", b"%d" % size)] if announced else []),
        )
        if size:
            t.check(h2.upload(stream, body), "the upload")
        elif announced:
            h2.data(stream, b"")
        good(t, h2.reply(stream, 15), body)
        request = t.one_request()
        if announced:
            t.equal("Content-Length at the shop", request.get(b"content-length"), b"%d" % size)

    add("h2", "post-" + name, run)


@case("h2", "download-of-20-mib")
def download(t):
    body = bytes(range(256)) * 4 * 20480
    t.answers_with(lambda request: ok(body))
    reply = t.h2().get(b"/x", patience=25)
    t.check(reply.clean and bytes(reply.body) == body, "the body", reply)
    t.equal("content-length", reply.get(b"content-length"), b"%d" % len(body))


for name, data, status, body in (
    ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello"), 200, b"hello"),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    ("304", b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304, b""),
    ("404", ok(b"none", b"", b"404 Nothing Here"), 404, b"none"),
    ("599", ok(b"odd", b"", b"599 Odd"), 599, b"odd"),
    ("empty", ok(), 200, b""),
):

    def run(t, data=data, status=status, body=body):
        t.answers_with(lambda request: data)
        good(t, t.h2().get(b"/x"), body, status)

    add("h2", "answer-" + name, run)


@case("h2", "answer-close-delimited")
def close_delimited(t):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")

    t.script(script)
    good(t, t.h2().get(b"/x"), b"hello")


@case("h2", "head")
def head(t):
    t.answers_with(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    reply = t.h2().get(b"/x", method=b"HEAD")
    good(t, reply, b"")
    t.equal("content-length", reply.get(b"content-length"), b"1234")


@case("h2", "answer-fields")
def answer_fields(t):
    """Lower-case, in order, repeated ones apart, and nothing of the connection."""
    t.answers_with(
        lambda request: ok(
            b"x",
            b"Set-Cookie: a=1\r\nX-Odd: caf\xe9\r\nSet-Cookie: b=2\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n"
            b"Keep-Alive: timeout=5\r\nUpgrade: x\r\nProxy-Connection: x\r\nServer: shop\r\n",
        )
    )
    reply = t.h2().get(b"/x")
    good(t, reply, b"x")
    t.equal("set-cookie", reply.all(b"set-cookie"), [b"a=1", b"b=2"])
    t.equal("x-odd", reply.get(b"x-odd"), b"caf\xe9")
    t.equal("server", reply.all(b"server"), [b"shop"])
    names = {name for name, _ in reply.fields}
    t.check(names == {name.lower() for name in names}, "upper case", names)
    t.check(
        not names & {b"connection", b"keep-alive", b"upgrade", b"proxy-connection", b"transfer-encoding", b"x-hop"},
        "fields of the connection",
        names,
    )


@case("h2", "request-fields")
def request_fields(t):
    h2 = t.h2()
    good(
        t,
        h2.get(
            b"/x",
            fields=[
                (b"user-agent", b"x"),
                (b"x-same", b"1"),
                (b"x-other", b""),
                (b"x-same", b"2"),
                (b"x-latin", b"caf\xe9"),
            ],
        ),
    )
    request = t.one_request()
    t.equal("x-same", request.all(b"x-same"), [b"1", b"2"])
    t.equal("x-latin", request.get(b"x-latin"), b"caf\xe9")
    t.equal("x-other", request.get(b"x-other"), b"")
    t.check(not [name for name, _ in request.fields if name.startswith(b":")], "a pseudo-field", request.head)


@case("h2", "cookie-crumbs-become-one")
def crumbs(t):
    """RFC 9113 §8.2.3."""
    good(t, t.h2().get(b"/x", fields=[(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]))
    t.equal("Cookie at the shop", t.one_request().all(b"cookie"), [b"a=1; b=2; c=3"])


@case("h2", "te-trailers-is-allowed")
def te_trailers(t):
    good(t, t.h2().get(b"/x", fields=[(b"te", b"trailers")]))


for name, target in (
    ("odd", b'/a//b/../c%2f?x="<>'),
    ("query-only", b"/?"),
    ("brackets", b"/a?x[]={1}|2"),
    ("4-kib", b"/" + b"a" * 4000),
):

    def run(t, target=target):
        good(t, t.h2().get(target))
        t.equal("the target", t.one_request().target, target)

    add("h2", "target-" + name, run)


@case("h2", "methods")
def methods(t):
    h2 = t.h2()
    for method in (b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND", b"M-SEARCH"):
        good(t, h2.get(b"/x", method=method), method + b" /x\n")


@case("h2", "authority-with-port")
def authority_port(t):
    good(t, t.h2().get(b"/x", authority=b"shop.test:8443"))
    t.equal("Host", t.one_request().all(b"host"), [b"shop.test:8443"])


@case("h2", "host-in-place-of-authority")
def host_only(t):
    """RFC 9113 §8.3.1: converted from HTTP/1.1 by somebody before us."""
    h2 = t.h2()
    good(
        t,
        h2.reply(
            h2.request([(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/x"), (b"host", b"shop.test")])
        ),
    )
    t.equal("Host", t.one_request().all(b"host"), [b"shop.test"])


@case("h2", "host-equal-to-authority")
def host_equal(t):
    good(t, t.h2().get(b"/x", fields=[(b"host", b"shop.test")]))
    t.equal("Host", t.one_request().all(b"host"), [b"shop.test"])


@case("h2", "trailers-of-a-request")
def request_trailers(t):
    t.answers_with(lambda request: ok(b"x"))
    h2 = t.h2()
    stream = h2.request(end=False, whole=h2.head(b"POST", fields=[(b"te", b"trailers"), (b"trailer", b"x-sum")]))
    h2.data(stream, b"hello", end=False)
    h2.request([(b"x-sum", b"abc")], stream=stream)
    good(t, h2.reply(stream), b"x")
    request = t.one_request()
    t.equal("body", request.body, b"hello")
    t.equal("trailers", [(name.lower(), value) for name, value in request.trailers], [(b"x-sum", b"abc")])


@case("h2", "trailers-of-an-answer")
def answer_trailers(t):
    t.answers_with(
        lambda request: b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunked(b"hello", trailers=b"X-Sum: abc\r\n")
    )
    reply = t.h2().get(b"/x", fields=[(b"te", b"trailers")])
    good(t, reply, b"hello")
    t.equal("trailers", reply.trailers, [(b"x-sum", b"abc")])


@case("h2", "103-is-relayed")
def hints(t):
    t.answers_with(lambda request: b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + ok(b"hello"))
    reply = t.h2().get(b"/x")
    good(t, reply, b"hello")
    t.check(
        len(reply.interim) == 1 and {(b":status", b"103"), (b"link", b"</a>; rel=preload")} <= set(reply.interim[0]),
        "the 103",
        reply.interim,
    )


@case("h2", "expect-100-continue")
def expect(t):
    def script(connection):
        request = connection.request(body=False)
        if request.get(b"expect"):
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    t.script(script)
    h2 = t.h2()
    stream = h2.request(
        end=False, whole=h2.head(b"POST", fields=[(b"expect", b"100-continue"), (b"content-length", b"5")])
    )
    reply = h2.replies[stream]
    t.check(h2.until(lambda: reply.interim, 4), "expected the shop's 100", reply)
    h2.data(stream, b"hello")
    good(t, h2.reply(stream), b"hello")
