"""What passes unchanged from the client to the shop: targets, methods, fields."""

from harness.cases import add, case
from harness.upstream import ok

GET = b"GET / HTTP/1.1\r\nHost: shop.test\r\n"
ALL_BYTES = bytes(range(256))


# -- targets: what the shop gets is what the client wrote

TARGETS = [
    ("plain", b"/a/b.html"),
    ("double-slash", b"//a//b//"),
    ("dot-segments", b"/a/./b/../c/.."),
    ("dot-segments-up", b"/../../etc/passwd"),
    ("encoded-slash", b"/a%2fb%2Fc"),
    ("encoded-dots", b"/a/%2e%2e/b"),
    ("encoded-case", b"/%c3%A9%C3%a9"),
    ("encoded-unreserved", b"/%61%62%63"),
    ("encoded-nul", b"/a%00b"),
    ("encoded-crlf", b"/a%0d%0aX:%20b"),
    ("encoded-percent", b"/a%25b%252f"),
    ("broken-percent", b"/a%zz%"),
    ("query", b"/a?b=c&d=e"),
    ("query-empty", b"/a?"),
    ("query-only", b"/?"),
    ("query-many-question-marks", b"/a??b?c?=?"),
    ("query-no-values", b"/a?b&c=&=d&&"),
    ("query-repeated", b"/a?x=1&x=2&X=3&x=1"),
    ("query-plus-and-encoded", b"/a?q=a+b%20c%2B"),
    ("query-semicolons", b"/a;p=1;q=2/b;r?x;y"),
    ("quotes-and-brackets", b'/a//b/../c%2f?x="<>'),
    ("braces-pipe-caret", b"/a?x={a}|b^c`d"),
    ("square-brackets", b"/a?x[]=1&y[a][b]=2"),
    ("backslash", b"/a\\b?c\\d"),
    ("sub-delims", b"/!$&'()*+,;=:@-._~"),
    ("tilde-colon-at", b"/~user:x@y"),
    ("looks-absolute", b"/http://evil.test/x"),
    ("trailing-dot-space", b"/a./b.%20"),
    ("4-kib", b"/" + b"a" * 4000 + b"?" + b"b" * 90),
    ("at-sign-first", b"/@evil.test/"),
    ("params-that-look-ours", b"/a?affiliate=1&aff=2&click=3&refgate=4"),
]
for name, target in TARGETS:

    def run(t, target=target):
        answer, request = t.exchange(b"GET " + target + b" HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        t.equal("status", answer.status, 200)
        t.equal("the target at the shop", request.target, target)

    add("transparency", "target-" + name, run)


@case("transparency", "target-high-bytes")
def high_bytes(t):
    """Not allowed by RFC 3986: exact, or refused."""
    target = b"/caf\xc3\xa9?q=\xff"
    t.answers_with(lambda request: ok(b"x"))
    answer = t.client().ask(b"GET " + target + b" HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    t.check(answer.status in (200, 400), "expected 200 or 400", answer)
    for request in t.upstream.requests:
        t.equal("the target", request.target, target)


@case("transparency", "target-options-star")
def options_star(t):
    t.answers_with(lambda request: ok(b"x"))
    answer = t.client().ask(b"OPTIONS * HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    t.check(answer.status in (200, 204, 400, 405), "an answer", answer)
    for request in t.upstream.requests:
        t.check(request.target in (b"*", b"/*") and not request.faults, "the target", request)


# -- methods

for method in (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "REPORT",
    "PURGE",
    "QUERY",
    "M-SEARCH",
    "get",
    "X-_.!~",
    "A" * 20,
):

    def run(t, method=method.encode()):
        answer, request = t.exchange(method + b" /m HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 0\r\n\r\n")
        t.equal("status", answer.status, 200)
        t.equal("the method at the shop", request.method, method)

    add(
        "transparency",
        "method-"
        + (
            "of-20-letters"
            if len(method) == 20
            else "lower-case" if method == "get" else "odd-token" if "!" in method else method.lower()
        ),
        run,
    )


@case("transparency", "method-head")
def head(t):
    t.answers_with(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: text/x\r\n\r\n")
    client = t.client()
    answer = client.get("/h", method="HEAD")
    t.equal("length", answer.get(b"content-length"), b"1234")
    t.equal("method", t.one_request().method, b"HEAD")
    t.equal("again", client.get("/h", method="HEAD").status, 200)


# -- fields of requests

ODD_NAME = b"X-!#$%&'*+.^_`|~09"
FIELDS = [
    ("user-agent", [(b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64) \"quoted\" (a, b)")]),
    ("accept-encoding", [(b"Accept-Encoding", b"gzip;q=1.0, br , zstd,*;q=0")]),
    ("accept", [(b"Accept", b"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]),
    ("authorization", [(b"Authorization", b"Basic dXNlcjpwYXNz==")]),
    ("cookie", [(b"Cookie", b'a=b; c="d, e"; f=; =g; h; i=j=k;l=%20; a=b')]),
    ("cookie-two-lines", [(b"Cookie", b"a=1"), (b"Cookie", b"b=2")]),
    (
        "conditional",
        [
            (b"If-None-Match", b'W/"a", "b,c", *'),
            (b"If-Modified-Since", b"Sat, 29 Oct 1994 19:43:31 GMT"),
            (b"If-Match", b"*"),
            (b"If-Unmodified-Since", b"nonsense"),
            (b"If-Range", b'"x"'),
        ],
    ),
    ("range", [(b"Range", b"bytes=0-4,10-,-5")]),
    ("caching", [(b"Cache-Control", b"no-cache, max-age=0"), (b"Pragma", b"no-cache")]),
    ("origin-and-referer", [(b"Origin", b"null"), (b"Referer", b"https://x.test/a?b#c")]),
    (
        "tracing",
        [(b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), (b"X-Request-Id", b"abc")],
    ),
    ("fetch-metadata", [(b"Sec-Fetch-Dest", b"document"), (b"Sec-CH-UA", b'"A";v="1", "B";v="2"'), (b"DNT", b"1")]),
    ("via", [(b"Via", b"1.1 other")]),
    ("value-empty", [(b"X-Empty", b"")]),
    ("value-inner-spaces-and-tabs", [(b"X-Space", b"a  b\t\tc   d")]),
    ("value-latin-1", [(b"X-Latin", b"caf\xe9 \xff\x80")]),
    ("value-utf-8", [(b"X-Utf8", "grüße 日本".encode())]),
    ("value-punctuation", [(b"X-Marks", b",;:\"'\\()<>[]{}?=@/!#$%&*+-.^_`|~")]),
    ("value-of-8-kib", [(b"X-Long", b"v" * 8192)]),
    ("value-commas-only", [(b"X-Commas", b",,, ,")]),
    ("value-looks-like-a-field", [(b"X-Trick", b"Host: evil.test")]),
    ("name-odd", [(ODD_NAME, b"1")]),
    ("name-underscore", [(b"X_Under_Score", b"1")]),
    ("name-digits", [(b"1234", b"1")]),
    ("name-one-letter", [(b"Q", b"1")]),
    ("name-of-200-letters", [(b"X-" + b"n" * 198, b"1")]),
    (
        "repeated-in-order",
        [(b"X-Same", b"1"), (b"X-Other", b"o"), (b"X-Same", b"2"), (b"x-same", b"3"), (b"X-Same", b"2")],
    ),
    (
        "content-fields",
        [
            (b"Content-Type", b"text/plain; charset=\"utf-8\"; x=y"),
            (b"Content-Language", b"de, en"),
            (b"Content-Location", b"/x"),
        ],
    ),
    ("date-of-a-client", [(b"Date", b"Sat, 29 Oct 1994 19:43:31 GMT")]),
    (
        "digest-and-priority",
        [(b"Content-Digest", b"sha-256=:abc=:"), (b"Priority", b"u=1, i"), (b"Max-Forwards", b"10")],
    ),
]
for name, fields in FIELDS:

    def run(t, fields=fields):
        lines = b"".join(b"%s: %s\r\n" % field for field in fields)
        answer, request = t.exchange(GET + lines + b"\r\n")
        t.equal("status", answer.status, 200)
        for field in {field.lower() for field, _ in fields}:
            wanted = [value for other, value in fields if other.lower() == field]
            found = request.all(field)
            if field == b"cookie" and len(wanted) > 1 and found == [b"; ".join(wanted)]:
                continue
            t.equal("%s at the shop" % field.decode(), found, wanted)

    add("transparency", "field-" + name, run)


@case("transparency", "fields-keep-their-order")
def order(t):
    names = [b"X-%s" % bytes([97 + at * 7 % 26]) for at in range(20)]
    _answer, request = t.exchange(GET + b"".join(b"%s: 1\r\n" % name for name in names) + b"\r\n")
    t.equal(
        "order",
        [name.lower() for name, _ in request.fields if name.lower() in {n.lower() for n in names}],
        [name.lower() for name in names],
    )


@case("transparency", "fields-keep-their-case")
def keep_case(t):
    _answer, request = t.exchange(GET + b"X-CamelCase: 1\r\nx-lower: 1\r\nX-UPPER: 1\r\neTag-oDD: 1\r\n\r\n")
    names = [name for name, _ in request.fields]
    for name in (b"X-CamelCase", b"x-lower", b"X-UPPER", b"eTag-oDD"):
        t.check(name in names, "expected %r at the shop" % name, names)


@case("transparency", "nothing-is-added-that-changes-the-shop")
def nothing_added(t):
    """A client that did not say what it accepts or is, has not said it."""
    _answer, request = t.exchange(GET + b"\r\n")
    names = {name.lower() for name, _ in request.fields}
    added = {
        name
        for name in names
        if not name.startswith(b"x-forwarded-")
        and name not in (b"host", b"connection", b"via", b"forwarded", b"x-real-ip", b"x-request-id")
    }
    t.check(not added, "fields were added", sorted(added))


@case("transparency", "host-with-port")
def host_port(t):
    answer, request = t.exchange(b"GET / HTTP/1.1\r\nHost: shop.test:8080\r\n\r\n")
    t.equal("status", answer.status, 200)
    t.equal("Host at the shop", request.get(b"host"), b"shop.test:8080")


@case("transparency", "host-case")
def host_case(t):
    answer, request = t.exchange(b"GET / HTTP/1.1\r\nHost: SHOP.Test\r\n\r\n")
    t.equal("status", answer.status, 200)
    t.check(request.get(b"host") in (b"SHOP.Test", b"shop.test"), "Host at the shop", request.get(b"host"))


# -- what ends at this hop

HOPS = [
    ("connection-named-field", b"Connection: X-Hop, x-hop2\r\nX-Hop: 1\r\nX-Hop2: 2\r\n", (b"x-hop", b"x-hop2")),
    ("keep-alive", b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", (b"keep-alive",)),
    ("proxy-connection", b"Proxy-Connection: keep-alive\r\n", (b"proxy-connection",)),
    ("upgrade-without-connection", b"Upgrade: websocket\r\n", ()),
    ("te-gzip", b"TE: gzip\r\nConnection: TE\r\n", (b"te",)),
    (
        "http2-settings",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        (b"http2-settings",),
    ),
]
for name, fields, gone in HOPS:

    def run(t, fields=fields, gone=gone):
        answer, request = t.exchange(GET + fields + b"\r\n")
        t.equal("status", answer.status, 200)
        for field in gone:
            t.equal("%s at the shop" % field.decode(), request.all(field), [])
        named = [token.strip().lower() for token in (request.get(b"connection") or b"").split(b",")]
        t.check(not set(named) & set(gone), "Connection at the shop names what is gone", named)
        t.check(b"h2c" not in (request.get(b"upgrade") or b""), "an h2c upgrade was forwarded", request.head)

    add("transparency", "hop-" + name, run)


@case("transparency", "connection-close-of-the-client")
def connection_close(t):
    client = t.client()
    answer = client.get("/x", b"Connection: close\r\n")
    t.equal("status", answer.status, 200)
    t.check(client.ended(5), "expected the end of the connection after Connection: close")


@case("transparency", "x-forwarded-for")
def forwarded_for(t):
    _answer, request = t.exchange(GET + b"\r\n")
    t.equal("X-Forwarded-For", request.get(b"x-forwarded-for"), b"127.0.0.1")
    t.equal("X-Forwarded-Proto", request.get(b"x-forwarded-proto"), b"http")
    t.equal("X-Forwarded-Host", request.get(b"x-forwarded-host"), b"shop.test")


@case("transparency", "x-forwarded-for-of-a-stranger")
def forwarded_stranger(t):
    """Whatever a stranger claims, the last one named is who really connected."""
    _answer, request = t.exchange(GET + b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\r\n")
    last = (request.get(b"x-forwarded-for") or b"").split(b",")[-1].strip()
    t.equal("the last of X-Forwarded-For", last, b"127.0.0.1")
