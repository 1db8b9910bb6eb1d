"""Bodies of requests, byte for byte, and clients of HTTP/1.0."""

import zlib

from groups.transparency import ALL_BYTES, GET
from harness.cases import Failed, add, case
from harness.upstream import ok
from harness.wire import chunked

# -- bodies of requests

SIZES = (0, 1, 2, 1023, 4096, 16384, 65535, 65536, 65537, 1 << 20, (5 << 20) + 3)


def pattern(size):
    return (ALL_BYTES * (size // 256 + 1))[:size]


for size in SIZES:

    def run(t, size=size):
        body = pattern(size)
        t.answers_with(lambda request: ok(b"%d %d" % (len(request.body), zlib.crc32(request.body))))
        client = t.client()
        answer = client.ask(b"POST /b HTTP/1.1\r\nHost: shop.test\r\nContent-Length: %d\r\n\r\n" % size + body)
        t.equal("as the shop got it", answer.body, b"%d %d" % (size, zlib.crc32(body)))
        t.equal("Content-Length at the shop", t.upstream.requests[0].get(b"content-length"), b"%d" % size)
        pieces = [body[at : at + 8191] for at in range(0, size, 8191)]
        answer = client.ask(
            b"PUT /b HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(*pieces)
        )
        t.equal("in chunks, as the shop got it", answer.body, b"%d %d" % (size, zlib.crc32(body)))

    add("transparency", "request-body-of-%d" % size, run)


@case("transparency", "request-body-in-a-content-coding")
def request_gzip(t):
    body = zlib.compress(b"hello" * 1000)
    answer, request = t.exchange(
        b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(body)
        + body,
        lambda request: ok(b"x"),
    )
    t.equal("the body", request.body, body)
    t.equal("Content-Encoding", request.get(b"content-encoding"), b"deflate")


@case("transparency", "request-body-with-delete")
def delete_body(t):
    _answer, request = t.exchange(b"DELETE /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello")
    t.equal("the body", request.body, b"hello")


@case("transparency", "post-of-length-0-says-so")
def post_zero(t):
    _answer, request = t.exchange(b"POST /x HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n")
    t.equal("Content-Length at the shop", request.get(b"content-length"), b"0")


@case("transparency", "get-has-no-length")
def get_no_length(t):
    _answer, request = t.exchange(GET + b"\r\n")
    t.check(
        request.get(b"transfer-encoding") is None and request.get(b"content-length") in (None, b"0"),
        "no body",
        request.head,
    )


@case("transparency", "trailers-of-a-request")
def request_trailers(t):
    t.answers_with(lambda request: ok(b"x"))
    answer = t.client().ask(
        b"POST /x HTTP/1.1\r\nHost: shop.test\r\nTE: trailers\r\nTrailer: X-Sum, X-Two\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: abc\r\nX-Two: d e f\r\n\r\n"
    )
    t.equal("status", answer.status, 200)
    trailers = [(name.lower(), value) for name, value in t.one_request().trailers]
    t.equal("trailers at the shop", trailers, [(b"x-sum", b"abc"), (b"x-two", b"d e f")])


# -- HTTP/1.0 clients


@case("transparency", "http-1.0-client")
def client_1_0(t):
    t.answers_with(lambda request: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hel", b"lo"))
    client = t.client()
    answer = client.get("/x", version="1.0")
    t.check(not answer.all(b"transfer-encoding"), "no chunks for HTTP/1.0", answer.head)
    t.equal("body", answer.body, b"hello")
    t.check(client.ended(5), "the end of the connection")


@case("transparency", "http-1.0-keep-alive")
def client_1_0_keep(t):
    client = t.client()
    answer = client.get("/x", b"Connection: keep-alive\r\n", version="1.0")
    t.equal("body", answer.body, b"GET /x\n")
    if (answer.get(b"connection") or b"").lower() == b"keep-alive":
        t.equal("again", client.get("/y", version="1.0").body, b"GET /y\n")
    else:
        t.check(client.ended(5), "kept open without Connection: keep-alive", answer.head)


@case("transparency", "http-1.0-without-host")
def client_1_0_no_host(t):
    answer = t.client().ask(b"GET /x HTTP/1.0\r\n\r\n")
    t.check(answer.status in (200, 400, 404, 421), "an answer", answer)
    for request in t.upstream.requests:
        t.check(len(request.all(b"host")) <= 1, "Host at the shop", request.head)


@case("transparency", "http-1.0-post")
def client_1_0_post(t):
    answer, request = t.exchange(b"POST /x HTTP/1.0\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello")
    t.equal("body", answer.body, b"POST /x\nhello")
    t.equal("version at the shop", request.version in (b"HTTP/1.0", b"HTTP/1.1"), True)


@case("transparency", "http-1.0-never-gets-1xx")
def client_1_0_1xx(t):
    t.answers_with(lambda request: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(b"hello"))
    answer = t.client().get("/x", version="1.0")
    t.equal("1xx", answer.interim, [])
    t.equal("body", answer.body, b"hello")


@case("transparency", "20-requests-on-one-connection")
def many(t):
    client = t.client()
    for at in range(20):
        answer = client.get("/%d" % at, b"X-At: %d\r\n" % at, method="POST" if at % 3 else "GET")
        if not answer.body.endswith(b" /%d\n" % at):
            raise Failed("request %d got %r" % (at, answer.body))
