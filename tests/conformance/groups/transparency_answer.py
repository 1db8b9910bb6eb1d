"""What passes unchanged from the shop to the client."""

import gzip
import zlib

from groups.transparency import ALL_BYTES
from groups.transparency_body import SIZES, pattern
from harness.cases import add, case
from harness.upstream import ok
from harness.wire import chunked

ENDINGS = (b"", b"Connection: close\r\n")


def answered(t, head, body=b"", method="GET", request=b""):
    """The client's view of `head` (its lines without the empty one) and `body`."""
    t.answers_with(lambda _request: head + b"\r\n" + body)
    return t.client().get("/x", request, method=method)


# -- status and reason

STATUSES = {
    "2xx": (200, 201, 202, 203, 206, 207, 208, 226, 299),
    "3xx": (300, 301, 302, 303, 305, 307, 308, 399),
    "4xx": (
        400,
        401,
        402,
        403,
        404,
        405,
        406,
        407,
        408,
        409,
        410,
        411,
        412,
        413,
        414,
        415,
        416,
        417,
        418,
        421,
        422,
        423,
        424,
        425,
        426,
        428,
        429,
        431,
        451,
        499,
    ),
    "5xx": (500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 520, 599),
}
for name, statuses in STATUSES.items():

    def run(t, statuses=statuses):
        for status in statuses:
            t.answers_with(
                lambda _request, status=status: ok(b"body of %d" % status, b"", b"%d Reason %d" % (status, status))
            )
            answer = t.client().get("/x")
            t.equal("status", answer.status, status)
            t.equal("body", answer.body, b"body of %d" % status)
            t.upstream.end()

    add("transparency", "status-" + name, run)

for name, reason in (
    ("usual", b"OK"),
    ("own-words", b"Everything is fine!"),
    ("misleading", b"Not Found"),
    ("latin-1", b"Tr\xe8s bien"),
    ("utf-8", "schön".encode()),
    ("of-500-bytes", b"r" * 500),
    ("with-tabs", b"a\tb"),
):

    def run(t, reason=reason):
        t.answers_with(lambda _request: b"HTTP/1.1 200 %s\r\nContent-Length: 0\r\n\r\n" % reason)
        t.equal("reason", t.client().get("/x").reason, reason)

    add("transparency", "reason-" + name, run)


@case("transparency", "reason-empty")
def reason_empty(t):
    t.answers_with(lambda _request: b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n")
    answer = t.client().get("/x")
    t.equal("status", answer.status, 200)
    t.check(answer.reason in (b"", None, b"OK"), "the reason", answer.reason)


@case("transparency", "status-600-and-above")
def status_600(t):
    """No status of RFC 9110: passed on, or 502."""
    for status in (600, 799, 999):
        t.answers_with(lambda _request, status=status: ok(b"x", b"", b"%d Odd" % status))
        answer = t.client().get("/x")
        t.check(answer.status in (status, 502), "expected %d or 502" % status, answer)
        t.upstream.end()


# -- fields

FIELDS = [
    ("set-cookie-many", [(b"Set-Cookie", b"c%d=%d; Path=/; HttpOnly" % (at, at)) for at in range(12)]),
    (
        "set-cookie-odd",
        [
            (b"Set-Cookie", b'a="b, c"; Expires=Wed, 21 Oct 2015 07:28:00 GMT'),
            (b"Set-Cookie", b"=x"),
            (b"Set-Cookie", b"y"),
            (b"Set-Cookie", b"a=\xe9"),
        ],
    ),
    ("server", [(b"Server", b"Shop/1.0 (x) y/2")]),
    ("date", [(b"Date", b"Sat, 29 Oct 1994 19:43:31 GMT")]),
    ("date-nonsense", [(b"Date", b"yesterday")]),
    ("location-relative", [(b"Location", b"../a b?c#d")]),
    ("location-absolute", [(b"Location", b"http://127.0.0.1:1/x?y=http://shop.test/")]),
    (
        "caching",
        [
            (b"Cache-Control", b"max-age=1, no-cache=\"set-cookie\""),
            (b"Expires", b"0"),
            (b"Pragma", b"x"),
            (b"Age", b"10"),
            (b"Vary", b"Accept-Encoding, *"),
        ],
    ),
    ("validators", [(b"ETag", b'W/"a,b"'), (b"Last-Modified", b"Sat, 29 Oct 1994 19:43:31 GMT")]),
    (
        "security",
        [
            (b"Strict-Transport-Security", b"max-age=1"),
            (b"Content-Security-Policy", b"default-src 'self'; x y"),
            (b"X-Frame-Options", b"DENY"),
            (b"Permissions-Policy", b"a=()"),
        ],
    ),
    ("authenticate", [(b"WWW-Authenticate", b'Basic realm="a, b"'), (b"WWW-Authenticate", b"Negotiate")]),
    ("links", [(b"Link", b"</a>; rel=preload"), (b"Link", b"</b>; rel=x, </c>")]),
    (
        "content",
        [
            (b"Content-Type", b"text/html; charset=ISO-8859-1"),
            (b"Content-Language", b"de"),
            (b"Content-Disposition", b"a; b=\"c\""),
            (b"Content-Location", b"/y"),
            (b"Content-MD5", b"abc=="),
            (b"Accept-Ranges", b"bytes"),
        ],
    ),
    ("x-accel", [(b"X-Accel-Buffering", b"no"), (b"X-Sendfile", b"/x"), (b"X-Powered-By", b"PHP/8")]),
    (
        "retry-and-allow",
        [(b"Retry-After", b"120"), (b"Allow", b"GET, HEAD"), (b"Alt-Svc", b'h3=":443"'), (b"Refresh", b"5; url=/x")],
    ),
    (
        "cors",
        [
            (b"Access-Control-Allow-Origin", b"*"),
            (b"Access-Control-Expose-Headers", b"a, b"),
            (b"Timing-Allow-Origin", b"*"),
        ],
    ),
    ("via", [(b"Via", b"1.1 shop")]),
    ("value-empty", [(b"X-Empty", b"")]),
    ("value-inner-spaces", [(b"X-Space", b"a  b\t\tc   d")]),
    ("value-latin-1", [(b"X-Latin", b"caf\xe9 \xff\x80")]),
    ("value-utf-8", [(b"X-Utf8", "grüße 日本".encode())]),
    ("value-of-8-kib", [(b"X-Long", b"v" * 8192)]),
    ("name-odd", [(b"X-!#$%&'*+.^_`|~09", b"1")]),
    ("name-underscore", [(b"X_Under_Score", b"1")]),
    (
        "repeated-in-order",
        [(b"X-Same", b"1"), (b"X-Other", b"o"), (b"X-Same", b"2"), (b"x-same", b"3"), (b"X-Same", b"2")],
    ),
]
for name, fields in FIELDS:

    def run(t, fields=fields):
        lines = b"".join(b"%s: %s\r\n" % field for field in fields)
        answer = answered(t, b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 5\r\n", b"hello")
        t.check(answer.clean and answer.body == b"hello", "expected hello", answer)
        for field in {field.lower() for field, _ in fields}:
            t.equal(field.decode(), answer.all(field), [value for other, value in fields if other.lower() == field])

    add("transparency", "answer-field-" + name, run)


@case("transparency", "answer-fields-keep-their-order")
def order(t):
    names = [b"x-%s" % bytes([97 + at * 7 % 26]) for at in range(20)]
    answer = answered(
        t, b"HTTP/1.1 200 OK\r\n" + b"".join(b"%s: 1\r\n" % name for name in names) + b"Content-Length: 0\r\n"
    )
    t.equal("order", [name.lower() for name, _ in answer.fields if name.lower() in names], names)


@case("transparency", "answer-fields-keep-their-case")
def keep_case(t):
    answer = answered(
        t, b"HTTP/1.1 200 OK\r\nX-CamelCase: 1\r\nx-lower: 1\r\nX-UPPER: 1\r\neTag-oDD: 1\r\nContent-Length: 0\r\n"
    )
    names = [name for name, _ in answer.fields]
    for name in (b"X-CamelCase", b"x-lower", b"X-UPPER", b"eTag-oDD"):
        t.check(name in names, "expected %r" % name, names)


@case("transparency", "answer-gets-nothing-added")
def nothing_added(t):
    """No Content-Type where the shop stated none (a browser would believe it), no cookie, no Server, no Cache-Control."""
    answer = answered(t, b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n", b"<html>hi</html>")
    added = {name.lower() for name, _ in answer.fields} - {
        b"content-length",
        b"date",
        b"connection",
        b"keep-alive",
        b"via",
    }
    t.check(not added, "fields were added", sorted(added))


@case("transparency", "answer-hop-fields-end-here")
def hop(t):
    answer = answered(
        t,
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Connection: x\r\nContent-Length: 0\r\n",
    )
    t.equal("X-Hop", answer.all(b"x-hop"), [])
    t.check(b"x-hop" not in (answer.get(b"connection") or b"").lower(), "Connection names it", answer.head)


@case("transparency", "answer-connection-close-is-of-the-shop")
def shop_close(t):
    """The shop's `Connection: close` is about its own connection: either way the client's is consistent with what it is told."""
    t.answers_with(lambda _request: ok(b"hello", b"Connection: close\r\n"))
    client = t.client()
    answer = client.get("/x")
    if b"close" in (answer.get(b"connection") or b"").lower():
        t.check(client.ended(5), "told close, and left open")
    else:
        t.equal("again", client.get("/y").body, b"hello")


# -- bodies

for size in SIZES:

    def run(t, size=size):
        body = pattern(size)
        t.answers_with(
            lambda request: (
                ok(body)
                if request.target == b"/length"
                else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + chunked(*[body[at : at + 8191] for at in range(0, size, 8191)])
            )
        )
        client = t.client()
        answer = client.get("/length")
        t.check(answer.clean and answer.body == body, "the body is another", answer)
        t.equal("Content-Length", answer.get(b"content-length"), b"%d" % size)
        answer = client.get("/chunked")
        t.check(answer.clean and answer.body == body, "the body in chunks is another", answer)

    add("transparency", "answer-body-of-%d" % size, run)


for name, coding, body in (
    ("gzip", b"gzip", gzip.compress(b"hello" * 1000)),
    ("deflate", b"deflate", zlib.compress(b"hello" * 100)),
    ("br-that-is-none", b"br", ALL_BYTES),
    ("identity", b"identity", b"hello"),
    ("unknown", b"x-own", b"\0\1\2"),
):

    def run(t, coding=coding, body=body):
        answer = answered(
            t,
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n"
            % (coding, len(body)),
            body,
            request=b"Accept-Encoding: gzip, br\r\n",
        )
        t.equal("Content-Encoding", answer.get(b"content-encoding"), coding)
        t.equal("the body", answer.body, body)

    add("transparency", "answer-coding-" + name, run)


@case("transparency", "answer-is-not-compressed")
def not_compressed(t):
    body = b"<html>" + b"a" * 50000
    answer = answered(
        t,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n" % len(body),
        body,
        request=b"Accept-Encoding: gzip, br, zstd\r\n",
    )
    t.equal("Content-Encoding", answer.get(b"content-encoding"), None)
    t.equal("the body", answer.body, body)


@case("transparency", "answer-206-multipart")
def partial(t):
    body = b"--x\r\nContent-Range: bytes 0-1/4\r\n\r\nab\r\n--x--\r\n"
    answer = answered(
        t,
        b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\nContent-Length: %d\r\n"
        % len(body),
        body,
        request=b"Range: bytes=0-1\r\n",
    )
    t.equal("status", answer.status, 206)
    t.equal("the body", answer.body, body)


@case("transparency", "answer-304-keeps-its-validators")
def not_modified(t):
    t.answers_with(
        lambda _request: b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nVary: x\r\nCache-Control: max-age=5\r\n\r\n"
    )
    client = t.client()
    answer = client.get("/x", b"If-None-Match: \"a\"\r\n")
    t.equal("status", answer.status, 304)
    t.equal("ETag", answer.get(b"etag"), b'"a"')
    t.check(not answer.all(b"transfer-encoding"), "a 304 with a coding", answer.head)
    t.equal("again", client.get("/x").status, 304)


@case("transparency", "answer-204-has-no-length")
def no_content(t):
    t.answers_with(lambda _request: b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n")
    client = t.client()
    answer = client.get("/x")
    t.equal("status", answer.status, 204)
    t.check(not answer.all(b"transfer-encoding") and not answer.all(b"content-length"), "RFC 9112 §6", answer.head)
    t.equal("again", client.get("/x").status, 204)


@case("transparency", "answer-to-head-keeps-its-length")
def head_length(t):
    for head in (b"Content-Length: 0\r\n", b"Content-Length: 99999999999\r\n"):
        t.answers_with(lambda _request, head=head: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        answer = t.client().get("/x", method="HEAD")
        t.equal("Content-Length", answer.get(b"content-length"), head[16:-2])
        t.upstream.end()


@case("transparency", "answer-to-head-without-length-invents-none")
def head_no_length(t):
    answer = answered(t, b"HTTP/1.1 200 OK\r\nX: 1\r\n", method="HEAD")
    t.check(answer.get(b"content-length") is None, "a length was invented", answer.head)


@case("transparency", "answer-trailers")
def trailers(t):
    t.answers_with(
        lambda _request: b"HTTP/1.1 200 OK\r\nTrailer: X-Sum, X-Two\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunked(b"hello", trailers=b"X-Sum: abc\r\nX-Two: d e f\r\n")
    )
    answer = t.client().get("/x", b"TE: trailers\r\nConnection: TE\r\n")
    t.equal("the body", answer.body, b"hello")
    t.equal(
        "trailers",
        [(name.lower(), value) for name, value in answer.trailers],
        [(b"x-sum", b"abc"), (b"x-two", b"d e f")],
    )
    t.equal("Trailer", answer.get(b"trailer"), b"X-Sum, X-Two")


@case("transparency", "answer-of-http-1.0-shop")
def shop_1_0(t):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nhello")

    t.script(script)
    answer = t.client().get("/x")
    t.equal("version", answer.version, b"HTTP/1.1")
    t.equal("the body", answer.body, b"hello")
    t.equal("X-A", answer.get(b"x-a"), b"1")
