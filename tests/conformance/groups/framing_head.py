"""Heads that two readers could see differently: request line, Host, field lines, line ends, size."""

from groups.framing import GET, NEXT, POST, flood, judge
from harness.cases import add, case

LINE = b" HTTP/1.1\r\nHost: shop.test\r\n\r\n"

# -- request lines and line ends: name, bytes, outcome

HEADS = [
    ("line-bare-lf-everywhere", b"GET /first HTTP/1.1\nHost: shop.test\n\n", "clean"),
    ("line-bare-lf-request-line", b"GET /first HTTP/1.1\nHost: shop.test\r\n\r\n", "clean"),
    ("line-bare-lf-field", GET + b"X: a\nY: b\r\n\r\n", "clean"),
    ("line-bare-lf-end", GET + b"X: a\r\n\n", "clean"),
    ("line-bare-lf-hides-request", GET + b"X: a\n\nGET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n", "lf"),
    ("line-bare-cr-request-line", b"GET /first HTTP/1.1\rHost: shop.test\r\n\r\n", "refuse"),
    ("line-bare-cr-name", GET + b"X\rY: 1\r\n\r\n", "refuse"),
    ("line-bare-cr-value", GET + b"X: a\rY: b\r\n\r\n", "refuse"),
    ("line-cr-cr-lf", GET + b"X: a\r\r\n\r\n", "refuse"),
    ("line-nul-in-value", GET + b"X: a\x00b\r\n\r\n", "refuse"),
    ("line-nul-in-name", GET + b"X\x00: ab\r\n\r\n", "refuse"),
    ("line-nul-in-target", b"GET /first\x00x" + LINE, "refuse"),
    ("line-cr-in-target", b"GET /first\rx" + LINE, "refuse"),
    ("line-tab-separators", b"GET\t/first\tHTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-two-spaces", b"GET  /first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "clean"),
    ("line-space-in-target", b"GET /first x" + LINE, "clean"),
    ("line-trailing-space", b"GET /first HTTP/1.1 \r\nHost: shop.test\r\n\r\n", "clean"),
    ("line-leading-space", b" GET /first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-no-target", b"GET HTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-http-0.9", b"GET /first\r\n\r\n", "refuse"),
    ("line-http-0.9-host", b"GET /first\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-http-2.0", b"GET /first HTTP/2.0\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-http-1.2", b"GET /first HTTP/1.2\r\nHost: shop.test\r\n\r\n", "clean"),
    ("line-http-1.10", b"GET /first HTTP/1.10\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-http-01.1", b"GET /first HTTP/01.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-http-1-1", b"GET /first HTTP/1,1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-lower-case-http", b"GET /first http/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-other-protocol", b"GET /first ICY/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-bad-method", b"GE(T /first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-method-with-colon", b"GET: /first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-empty-method", b" /first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("line-garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", "refuse"),
    ("line-method-with-high-byte", b"G\xc9T /first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("target-no-slash", b"GET first" + LINE, "refuse"),
    ("target-star-on-get", b"GET *" + LINE, "refuse"),
    ("target-fragment", b"GET /first#x" + LINE, "clean"),
    ("target-control-byte", b"GET /first\x01" + LINE, "refuse"),
    ("target-del", b"GET /first\x7f" + LINE, "refuse"),
    ("target-asterisk-slash", b"GET */first" + LINE, "refuse"),
    ("target-connect", b"CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test:80\r\n\r\n" + NEXT, "refuse"),
    ("target-connect-slash", b"CONNECT /first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "refuse"),
    # -- field lines
    ("field-obs-fold", GET + b"X: a\r\n b\r\n\r\n", "clean"),
    ("field-obs-fold-tab", GET + b"X: a\r\n\tb\r\n\r\n", "clean"),
    ("field-obs-fold-first", b"GET /first HTTP/1.1\r\n X: a\r\nHost: shop.test\r\n\r\n", "refuse"),
    ("field-obs-fold-empty", GET + b"X: a\r\n \r\n\r\n", "clean"),
    ("field-obs-fold-hides-length", POST + b"X: a\r\n Content-Length: 40\r\nContent-Length: 0\r\n\r\n", "clean"),
    ("field-no-colon", GET + b"Xa\r\n\r\n", "refuse"),
    ("field-empty-name", GET + b": a\r\n\r\n", "refuse"),
    ("field-space-before-colon", GET + b"X : a\r\n\r\n", "refuse"),
    ("field-space-in-name", GET + b"X Y: a\r\n\r\n", "refuse"),
    ("field-name-at", GET + b"X@Y: a\r\n\r\n", "refuse"),
    ("field-name-paren", GET + b"X(Y): a\r\n\r\n", "refuse"),
    ("field-name-high-byte", GET + b"X\xff: a\r\n\r\n", "refuse"),
    ("field-name-control", GET + b"X\x01: a\r\n\r\n", "refuse"),
    ("field-value-control", GET + b"X: a\x01b\r\n\r\n", "clean"),
    ("field-value-del", GET + b"X: a\x7fb\r\n\r\n", "clean"),
    # -- Host
    ("host-missing", b"GET /first HTTP/1.1\r\nX: 1\r\n\r\n", "refuse"),
    ("host-twice", GET + b"Host: other.test\r\n\r\n", "refuse"),
    ("host-twice-equal", GET + b"Host: shop.test\r\n\r\n", "refuse"),
    ("host-twice-case", GET + b"hOST: evil.test\r\n\r\n", "refuse"),
    ("host-empty", b"GET /first HTTP/1.1\r\nHost:\r\n\r\n", "clean"),
    ("host-two-values", b"GET /first HTTP/1.1\r\nHost: shop.test, evil.test\r\n\r\n", "refuse"),
    ("host-space", b"GET /first HTTP/1.1\r\nHost: shop.test evil.test\r\n\r\n", "refuse"),
    ("host-slash", b"GET /first HTTP/1.1\r\nHost: shop.test/evil\r\n\r\n", "refuse"),
    ("host-question", b"GET /first HTTP/1.1\r\nHost: shop.test?evil\r\n\r\n", "refuse"),
    ("host-hash", b"GET /first HTTP/1.1\r\nHost: shop.test#evil\r\n\r\n", "refuse"),
    ("host-userinfo", b"GET /first HTTP/1.1\r\nHost: evil@shop.test\r\n\r\n", "refuse"),
    ("host-backslash", b"GET /first HTTP/1.1\r\nHost: shop.test\\evil\r\n\r\n", "refuse"),
    ("host-bad-port", b"GET /first HTTP/1.1\r\nHost: shop.test:80a\r\n\r\n", "refuse"),
    ("host-two-ports", b"GET /first HTTP/1.1\r\nHost: shop.test:80:81\r\n\r\n", "refuse"),
    ("host-open-bracket", b"GET /first HTTP/1.1\r\nHost: [::1\r\n\r\n", "refuse"),
    ("host-nul", b"GET /first HTTP/1.1\r\nHost: shop.test\x00.evil\r\n\r\n", "refuse"),
    ("host-high-byte", b"GET /first HTTP/1.1\r\nHost: shop\xff.test\r\n\r\n", "refuse"),
    ("host-obs-folded", b"GET /first HTTP/1.1\r\nHost:\r\n shop.test\r\n\r\n", "clean"),
    ("host-space-before-colon", b"GET /first HTTP/1.1\r\nHost : shop.test\r\n\r\n", "refuse"),
    ("host-only-in-fold", b"GET /first HTTP/1.1\r\nX: 1\r\n Host: shop.test\r\n\r\n", "refuse"),
    ("absolute-no-host-field", b"GET http://shop.test/first HTTP/1.1\r\n\r\n", "refuse"),
    ("absolute-userinfo", b"GET http://u:p@shop.test/first HTTP/1.1\r\nHost: shop.test\r\n\r\n", "clean"),
    ("absolute-other-scheme", b"GET ftp://shop.test/first" + LINE, "clean"),
    ("absolute-no-host", b"GET http:///first" + LINE, "refuse"),
    ("absolute-two-hosts", b"GET http://shop.test/first" + LINE[:-2] + b"Host: evil.test\r\n\r\n", "refuse"),
]


for name, sent, want in HEADS:
    if want == "lf":
        # Who takes a bare LF for a line's end reads two requests here, rightly; the shop must see what was counted.
        sent, want = sent.replace(b"/smuggled", b"/second"), "clean"
    add("framing", name, lambda t, sent=sent, want=want: judge(t, sent, want))


@case("framing", "absolute-form-host-differs")
def absolute_differs(t):
    """RFC 9112 §3.2.2: refused, or the target's host is what the shop gets as Host."""
    client = t.client()
    answer = client.ask(b"GET http://shop.test/first HTTP/1.1\r\nHost: evil.test\r\n\r\n")
    requests = t.upstream.requests
    if requests:
        t.check(not requests[0].faults, "a malformed request at the upstream", requests[0])
        t.check(requests[0].get(b"host") == b"shop.test", "the target's host must win", requests[0].head)
    else:
        t.check(answer.status in (400, 421, 404), "expected a refusal", answer)


@case("framing", "absolute-form-becomes-origin-form")
def absolute_same(t):
    answer, request = t.exchange(b"GET http://shop.test/first?q=1 HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    t.equal("status", answer.status, 200)
    t.check(request.target in (b"/first?q=1", b"http://shop.test/first?q=1"), "the target", request.target)
    t.equal("Host", request.get(b"host"), b"shop.test")


@case("framing", "absolute-form-upper-case-scheme-and-host")
def absolute_upper(t):
    client = t.client()
    answer = client.ask(b"GET HTTP://SHOP.test/first HTTP/1.1\r\nHost: SHOP.test\r\n\r\n")
    t.check(answer.status in (200, 400, 404, 421) and answer.clean, "expected an answer", answer)
    t.check(all(not request.faults for request in t.upstream.requests), "malformed upstream", t.upstream.requests)


@case("framing", "empty-lines-before-the-request")
def empty_lines(t):
    """RFC 9112 §2.2: at least one is to be ignored."""
    judge(t, b"\r\n" + GET + b"\r\n", "accept")


@case("framing", "pipelined-requests-are-answered-in-order")
def pipelined(t):
    client = t.client()
    client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: shop.test\r\n\r\n" % at for at in range(10)))
    for at in range(10):
        answer = client.answer()
        t.check(answer.clean and answer.body.startswith(b"GET /%d\n" % at), "answer %d out of order" % at, answer.body)


@case("framing", "pipelined-behind-a-post")
def pipelined_post(t):
    client = t.client()
    client.send(POST + b"Content-Length: 5\r\n\r\nhelloGET /second HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    first, second = client.answer(), client.answer()
    t.equal("first", first.body, b"POST /first\nhello")
    t.check(second.body.startswith(b"GET /second\n"), "the second answer", second.body)
    t.equal("targets", [request.target for request in t.upstream.requests], [b"/first", b"/second"])


@case("framing", "body-looks-like-a-request")
def body_like_request(t):
    judge(t, POST + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT, "accept", NEXT)


@case("framing", "chunked-body-looks-like-a-request")
def chunked_like_request(t):
    judge(t, POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(NEXT), NEXT), "accept", NEXT)


@case("framing", "head-one-byte-at-a-time")
def byte_by_byte(t):
    client = t.client()
    for byte in POST + b"Content-Length: 3\r\n\r\nabc":
        client.send(bytes([byte]))
    answer = client.answer()
    t.equal("body", answer.body, b"POST /first\nabc")


@case("framing", "chunks-one-byte-at-a-time")
def chunk_byte_by_byte(t):
    client = t.client()
    for byte in POST + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n":
        client.send(bytes([byte]))
    answer = client.answer()
    t.equal("body", answer.body, b"POST /first\nabc")


@case("framing", "request-cut-in-the-body")
def cut_body(t):
    """The client goes away in the middle of a body: the shop never takes it for a whole one."""
    client = t.client()
    client.send(POST + b"Content-Length: 10\r\n\r\nhello")
    client.close()
    from harness.client import wait_for

    wait_for(lambda: t.upstream.requests, 1.0)
    wait_for(lambda: all(connection.over for connection in t.upstream.connections), 5.0)
    t.check(
        all(not request.complete for request in t.upstream.requests),
        "a cut body must not look whole",
        t.upstream.requests,
    )
    t.probe()


@case("framing", "request-cut-in-a-chunk")
def cut_chunk(t):
    client = t.client()
    client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwo")
    client.close()
    from harness.client import wait_for

    wait_for(lambda: t.upstream.requests, 1.0)
    wait_for(lambda: all(connection.over for connection in t.upstream.connections), 5.0)
    t.check(
        all(not request.complete for request in t.upstream.requests),
        "a cut body must not look whole",
        t.upstream.requests,
    )
    t.probe()


@case("framing", "connection-names-a-framing-field")
def connection_names(t):
    """`Connection: content-length` must not take the framing away from the shop."""
    judge(
        t,
        POST + b"Connection: Content-Length, Host, Transfer-Encoding\r\nContent-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
        "clean",
    )


# -- size


@case("framing", "garbage-behind-a-request")
def garbage_behind(t):
    """The first is answered; what follows is refused, and so is all that comes after it."""
    client = t.client()
    client.send(GET + b"\r\nGARBAGE\r\n\r\n" + NEXT)
    answers, end = client.answers()
    t.check([answer.status for answer in answers] in ([200], [200, 400]), "expected 200, then 400 or the end", answers)
    t.equal("the connection", end == "open", False)
    t.equal("targets", [request.target for request in t.upstream.requests], [b"/first"])


def too_large(t, sent, statuses):
    client = t.client()
    client.send(sent)
    answers, _end = client.answers()
    t.check(not t.upstream.requests, "nothing at the upstream", t.upstream.requests)
    t.check(
        [answer.status in statuses for answer in answers] == [True], "expected one answer of %r" % (statuses,), answers
    )
    t.probe()


@case("framing", "head-too-large-one-field")
def head_large(t):
    too_large(t, GET + b"X-Large: %s\r\n\r\n" % (b"x" * (1200 << 10)), (400, 413, 431))


@case("framing", "head-too-large-says-431")
def head_431(t):
    too_large(t, GET + b"".join(b"X-%d: %s\r\n" % (at, b"x" * 1000) for at in range(1200)) + b"\r\n", (400, 431))


@case("framing", "target-too-long-says-414")
def target_414(t):
    too_large(t, b"GET /" + b"x" * (1200 << 10) + LINE, (400, 414, 431))


@case("framing", "20000-fields")
def many_fields(t):
    """A limit of fields, or of bytes, or none that this meets: but no wrong answer and no fall."""
    client = t.client()
    client.send(GET + b"".join(b"X-%d: 1\r\n" % at for at in range(20000)) + b"\r\n")
    answer = client.answer()
    t.check(answer.status in (200, 400, 413, 431), "expected 431 or 200", answer)
    if answer.status == 200:
        t.check(len(t.one_request().fields) >= 20000, "the shop must get them all", len(t.one_request().fields))
    t.probe()


@case("framing", "head-without-end")
def endless_head(t):
    flood(t, GET, b"X: %s\r\n" % (b"x" * 1000) * 64, 8 << 20)


@case("framing", "request-line-without-end")
def endless_line(t):
    flood(t, b"GET /", b"x" * 65536, 8 << 20)


@case("framing", "empty-lines-without-end")
def endless_empty(t):
    flood(t, b"", b"\r\n" * 8192, 8 << 20)


@case("framing", "head-of-8-kib-is-taken")
def head_8k(t):
    """A shop's cookies are that large."""
    answer, request = t.exchange(GET + b"Cookie: %s\r\n\r\n" % (b"c=" + b"x" * 8000))
    t.equal("status", answer.status, 200)
    t.equal("the cookie's length", len(request.get(b"cookie") or b""), 8002)


@case("framing", "head-of-24-kib-is-taken")
def head_24k(t):
    answer, _request = t.exchange(GET + b"".join(b"X-%d: %s\r\n" % (at, b"x" * 2000) for at in range(12)) + b"\r\n")
    t.equal("status", answer.status, 200)


@case("framing", "90-fields-are-taken")
def fields_90(t):
    answer, request = t.exchange(GET + b"".join(b"X-%d: %d\r\n" % (at, at) for at in range(90)) + b"\r\n")
    t.equal("status", answer.status, 200)
    t.equal("fields", sum(1 for name, _ in request.fields if name.lower().startswith(b"x-") and name[2:].isdigit()), 90)
