"""Answers of the shop that are wrong, cut, doubled or unasked for.

A row says what the client may see:
  gateway  502, 503 or 504, whole
  cut      no clean 2xx: a head whose body visibly breaks off, or 5xx
  any      something well-formed; where it is a clean 2xx, its body is one of those stated
  bytes    a clean answer with that body
After every row plain requests get their own answers: no connection to the shop was poisoned.
"""
import time

from harness.cases import Failed, add, case
from harness.upstream import echo, ok
from harness.wire import Short, Slow, chunked

FIN, RESET, HOLD = "fin", "reset", "hold"
H = b"HTTP/1.1 200 OK\r\n"
CL5 = H + b"Content-Length: 5\r\n\r\n"
TE = H + b"Transfer-Encoding: chunked\r\n\r\n"
POISON = ok(b"poison")
HELLO = b"hello"


def faulty(parts):
    """A script: /fault… gets `parts`, everything else is echoed, on one connection after the other request."""
    def script(connection):
        while (request := connection.request()) and request.complete:
            if not request.target.startswith(b"/fault"):
                connection.send(echo(request))
                continue
            for part in parts:
                if part == FIN:
                    return
                if part == RESET:
                    connection.reset()
                    return
                if part == HOLD:
                    connection.hold()
                    return
                if isinstance(part, float):
                    time.sleep(part)
                else:
                    connection.send(part)
    return script


def judge(t, parts, want, method="GET", bodies=(), sent=None, probes=2, patience=8.0):
    t.script(faulty(parts))
    client = t.client()
    if isinstance(want, bytes):
        bodies, want = (want,), "ok"
    try:
        answer = client.ask(sent or b"%s /fault HTTP/1.1\r\nHost: shop.test\r\n\r\n" % method.encode(), method, patience)
    except Short as short:
        answer = None
        if want in ("gateway", "ok"):
            raise Failed("expected an answer; the connection ended without one: %s" % short.args[0]) from short
    except Slow as slow:
        raise Failed("expected an answer or the end within %d s" % patience) from slow
    if answer:
        t.check(not answer.faults or want == "cut" and not answer.complete, "expected a well-formed answer", answer, answer.head)
        fine = answer.clean and answer.status < 500
        if want == "gateway":
            t.check(answer.clean and answer.status in (502, 503, 504), "expected 502", answer, answer.body[:100])
        elif want == "cut":
            t.check(not fine, "expected a visible cut", answer, answer.head, answer.body[-100:])
        elif want == "ok":
            t.check(fine, "expected a whole answer", answer)
        if fine and bodies:
            t.check(answer.body in bodies, "expected the body %r" % (bodies[0][:200],), answer.body)
        t.check(b"poison" not in answer.body, "the next answer's bytes in this one", answer.body[:200])
    if answer and answer.clean and answer.framing != "close" and not client.reader.end:
        follow(t, client)
    t.probe(probes)


def follow(t, client):
    """The same connection, where it is still open."""
    try:
        answer = client.get("/after")
    except (Short, Slow):
        return
    if not answer.body.startswith(b"GET /after\n"):
        raise Failed("the next request on the same connection got %r %r" % (answer, answer.body[:100]))


LINES = [
    ("status-garbage", [b"this is no HTTP at all\r\n\r\n", FIN], "gateway"),
    ("status-only-body", [b"<html>hello</html>", FIN], "gateway"),
    ("status-99", [b"HTTP/1.1 99 Low\r\nContent-Length: 5\r\n\r\nhello"], "gateway"),
    ("status-1000", [b"HTTP/1.1 1000 High\r\nContent-Length: 5\r\n\r\nhello"], "gateway"),
    ("status-word", [b"HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello"], "gateway"),
    ("status-negative", [b"HTTP/1.1 -20 OK\r\nContent-Length: 5\r\n\r\nhello"], "gateway"),
    ("status-two-digits", [b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello"], "gateway"),
    ("status-other-protocol", [b"ICY 200 OK\r\nContent-Length: 5\r\n\r\nhello", FIN], "gateway"),
    ("status-http-2", [b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("status-http-0.9", [b"HTTP/0.9 200 OK\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("status-no-reason", [b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("status-two-spaces", [b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("status-nul-in-reason", [b"HTTP/1.1 200 O\x00K\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("status-empty-line-first", [b"\r\n" + CL5 + HELLO], "any"),
    ("head-nothing-then-fin", [FIN], "gateway"),
    ("head-nothing-then-reset", [RESET], "gateway"),
    ("head-half-line-then-fin", [b"HTTP/1.1 20", FIN], "gateway"),
    ("head-half-then-fin", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", FIN], "gateway"),
    ("head-half-then-reset", [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", RESET], "gateway"),
    ("head-half-then-silence", [b"HTTP/1.1 200 OK\r\nContent-Len", HOLD], "gateway"),
    ("head-never", [HOLD], "gateway"),
    ("head-late", [1.0, CL5 + HELLO], HELLO),
    ("head-in-pieces", [b"HTTP/1.", 0.1, b"1 200 OK\r", 0.1, b"\nContent-Length: 5\r\n\r", 0.1, b"\nhe", 0.1, b"llo"], HELLO),
    ("head-bare-lf", [b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"], "any"),
    ("field-nul-in-value", [H + b"X: a\x00b\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-bare-cr-in-value", [H + b"X: a\rb\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-space-before-colon", [H + b"X : a\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-no-colon", [H + b"nonsense\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-empty-name", [H + b": a\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-invalid-name", [H + b"X(Y): a\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-obs-fold", [H + b"X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-obs-fold-length", [H + b"X: a\r\n Content-Length: 3\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("field-control-in-value", [H + b"X: a\x01b\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("head-too-large", [H + b"X: %s\r\nContent-Length: 5\r\n\r\nhello" % (b"x" * (12 << 20))], "gateway"),
    ("head-20000-fields", [H + b"".join(b"X-%d: 1\r\n" % at for at in range(20000)) + b"Content-Length: 5\r\n\r\nhello"], "any"),
    ("head-of-24-kib", [H + b"".join(b"X-%d: %s\r\n" % (at, b"x" * 2000) for at in range(12)) + b"Content-Length: 5\r\n\r\nhello"],
     HELLO),
    ("head-90-cookies", [H + b"".join(b"Set-Cookie: c%d=%d\r\n" % (at, at) for at in range(90)) + b"Content-Length: 5\r\n\r\nhello"],
     HELLO),
]

LENGTHS = [
    ("length-cut-by-fin", [CL5 + b"hel", FIN], "cut"),
    ("length-cut-by-reset", [CL5 + b"hel", 0.1, RESET], "cut"),
    ("length-cut-at-0-by-fin", [CL5, FIN], "cut"),
    ("length-cut-late", [H + b"Content-Length: 200000\r\n\r\n" + b"x" * 100000, 0.3, FIN], "cut"),
    ("length-cut-by-one-byte", [H + b"Content-Length: 100001\r\n\r\n" + b"x" * 100000, FIN], "cut"),
    ("length-stalls", [CL5 + b"hel", HOLD], "cut"),
    ("length-two-differing", [H + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"], "gateway"),
    ("length-two-equal", [H + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"], "any"),
    ("length-list-equal", [H + b"Content-Length: 5, 5\r\n\r\nhello"], "any"),
    ("length-list-differing", [H + b"Content-Length: 5, 6\r\n\r\nhello!"], "gateway"),
    ("length-plus", [H + b"Content-Length: +5\r\n\r\nhello", FIN], "gateway"),
    ("length-minus", [H + b"Content-Length: -5\r\n\r\nhello", FIN], "gateway"),
    ("length-hex", [H + b"Content-Length: 0x5\r\n\r\nhello", FIN], "gateway"),
    ("length-word", [H + b"Content-Length: five\r\n\r\nhello", FIN], "gateway"),
    ("length-trailing-word", [H + b"Content-Length: 5x\r\n\r\nhello", FIN], "gateway"),
    ("length-overflow", [H + b"Content-Length: 18446744073709551621\r\n\r\nhello", FIN], "gateway"),
    ("length-empty", [H + b"Content-Length: \r\n\r\nhello", FIN], "any"),
    ("length-and-chunked", [H + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(HELLO)], "any"),
    ("chunked-and-length", [H + b"Transfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\n" + chunked(HELLO)], "any"),
    ("chunked-cut-before-the-end", [TE + b"5\r\nhello\r\n", FIN], "cut"),
    ("chunked-cut-by-reset", [TE + b"5\r\nhello\r\n", 0.1, RESET], "cut"),
    ("chunked-cut-in-a-chunk", [TE + b"a\r\nhello", FIN], "cut"),
    ("chunked-cut-in-a-size", [TE + b"5\r\nhello\r\n1", FIN], "cut"),
    ("chunked-cut-in-the-last-line", [TE + b"5\r\nhello\r\n0\r\n", FIN], "cut"),
    ("chunked-cut-in-a-trailer", [TE + b"5\r\nhello\r\n0\r\nX: 1\r\n", FIN], "cut"),
    ("chunked-stalls", [TE + b"5\r\nhello\r\n", HOLD], "cut"),
    ("chunked-bad-size", [TE + b"zz\r\nhello\r\n0\r\n\r\n", FIN], "cut"),
    ("chunked-bad-second-size", [TE + b"5\r\nhello\r\nxyz\r\nhello\r\n0\r\n\r\n", FIN], "cut"),
    ("chunked-size-minus", [TE + b"-5\r\nhello\r\n0\r\n\r\n", FIN], "cut"),
    ("chunked-size-0x", [TE + b"0x5\r\nhello\r\n0\r\n\r\n", FIN], "cut"),
    ("chunked-size-overflow", [TE + b"10000000000000005\r\nhello\r\n0\r\n\r\n", FIN], "cut"),
    ("chunked-data-too-long", [TE + b"5\r\nhelloXX\r\n0\r\n\r\n", FIN], "cut"),
    ("chunked-data-too-short", [TE + b"8\r\nhello\r\n0\r\n\r\n", FIN], "cut"),
    ("chunked-no-crlf-after-data", [TE + b"5\r\nhello0\r\n\r\n", FIN], "cut"),
    ("chunked-extension", [TE + b'5;a=b;c="d"\r\nhello\r\n0;z\r\n\r\n'], HELLO),
    ("chunked-zeros-in-size", [TE + b"00005\r\nhello\r\n000\r\n\r\n"], HELLO),
    ("chunked-many-small", [TE + chunked(*[b"x"] * 5000)], b"x" * 5000),
    ("chunked-twice-named", [H + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + chunked(HELLO), FIN], "any"),
    ("coding-two-fields", [H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(HELLO), FIN], "any"),
    ("coding-unknown", [H + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked(HELLO), FIN], "any"),
    ("coding-identity", [H + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", FIN], "any"),
    ("coding-in-http-1.0", [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(HELLO), FIN], "any"),
    ("close-delimited", [H + b"\r\nhello", FIN], HELLO),
    ("close-delimited-empty", [H + b"\r\n", FIN], b""),
    ("close-delimited-http-1.0", [b"HTTP/1.0 200 OK\r\n\r\nhello", FIN], HELLO),
    ("close-delimited-large", [H + b"\r\n" + b"x" * 300000, FIN], b"x" * 300000),
    ("close-delimited-reset", [H + b"\r\nhello", 0.2, RESET], "cut"),
    ("length-http-1.0", [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", FIN], HELLO),
    ("length-http-1.0-keep-alive", [b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"], HELLO),
    ("length-http-1.0-left-open", [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", HOLD], HELLO),
    ("length-and-connection-close", [H + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", FIN], HELLO),
    ("length-and-connection-close-left-open", [H + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", HOLD], HELLO),
]

EXTRA = [
    ("extra-bytes-at-once", [CL5 + HELLO + b"poison"], HELLO),
    ("extra-answer-at-once", [CL5 + HELLO + POISON], HELLO),
    ("extra-answer-after-chunked", [TE + chunked(HELLO) + POISON], HELLO),
    ("extra-answer-after-empty", [ok() + POISON], b""),
    ("extra-answer-after-204", [b"HTTP/1.1 204 No Content\r\n\r\n" + POISON], b""),
    ("extra-answer-after-304", [b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n" + POISON], b""),
    ("extra-crlf", [CL5 + HELLO + b"\r\n"], HELLO),
    ("twice-the-same-answer", [CL5 + HELLO + CL5 + b"poiso"], HELLO),
    ("204-with-body", [b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison"], b""),
    ("204-with-chunked-body", [b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"poison")], b""),
    ("304-with-body", [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison"], b""),
    ("304-with-length-only", [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: \"a\"\r\n\r\n"], b""),
    ("205-with-length-0", [b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"], b""),
]

for name, parts, want in LINES + LENGTHS + EXTRA:
    bodies = (HELLO, b"hello", chunked(HELLO), b"") if want == "any" else ()
    add("responses", name, lambda t, parts=parts, want=want, bodies=bodies: judge(t, parts, want, bodies=bodies))


for name, parts in [
    ("head-answered-with-body", [ok(b"poison")]),
    ("head-answered-with-chunked-body", [TE + chunked(b"poison")]),
    ("head-answered-with-length-only", [H + b"Content-Length: 4711\r\n\r\n"]),
    ("head-answered-with-nothing", [H + b"\r\n"]),
    ("head-answered-with-chunked-head-only", [TE]),
]:
    add("responses", name, lambda t, parts=parts: judge(t, parts, "any", method="HEAD"))


@case("responses", "extra-answer-late-in-the-pool")
def late(t):
    """Bytes that arrive while the connection is unused: it must not be used again."""
    judge_late(t, POISON)


@case("responses", "408-in-the-pool")
def late_408(t):
    """Apache and HAProxy say goodbye to an idle connection so."""
    judge_late(t, b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 6\r\n\r\npoison", FIN)


def judge_late(t, *parts):
    t.script(faulty([CL5 + HELLO, 0.3, *parts]))
    answer = t.client().get("/fault")
    t.equal("body", answer.body, HELLO)
    time.sleep(0.6)
    t.probe(4)


@case("responses", "pool-closed-by-the-shop")
def pool_closed(t):
    """A keep-alive connection that the shop ends while unused is no error for the next request, whatever its method."""
    def script(connection):
        request = connection.request()
        if request:
            connection.send(echo(request))
        time.sleep(0.1)

    t.script(script)
    for method in ("GET", "POST", "PUT", "DELETE", "GET"):
        answer = t.client().get("/x", b"Content-Length: 0\r\n", method=method)
        t.check(answer.status == 200, "%s after the shop closed its idle connection" % method, answer)
        time.sleep(0.4)


def unanswered(t, client, sent):
    """502, or the end of the connection without an answer: either way the client knows that it does not know."""
    try:
        answer = client.ask(sent)
    except Short:
        return None
    t.check(answer.clean and answer.status in (502, 503, 504), "expected 502", answer)
    return answer


@case("responses", "post-is-never-sent-twice")
def post_once(t):
    """The shop ends a used connection when a POST has come: the client hears of it, and nobody repeats it."""
    def script(connection):
        while request := connection.request():
            if request.method == b"POST":
                return
            connection.send(echo(request))

    t.script(script)
    client = t.client()
    client.get("/warm")
    unanswered(t, client, b"POST /order HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello")
    posts = [request for request in t.upstream.requests if request.method == b"POST"]
    t.equal("POSTs at the shop", len(posts), 1)
    t.probe()


@case("responses", "post-reset-is-never-sent-twice")
def post_reset(t):
    def script(connection):
        while request := connection.request():
            if request.method == b"POST":
                connection.reset()
                return
            connection.send(echo(request))

    t.script(script)
    for _time in range(3):
        client = t.client()
        client.get("/warm")
        unanswered(t, client, b"POST /order HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    posts = [request for request in t.upstream.requests if request.method == b"POST"]
    t.equal("POSTs at the shop", len(posts), 3)


@case("responses", "post-half-answered-is-never-sent-twice")
def post_half(t):
    t.script(faulty([b"HTTP/1.1 200 OK\r\nContent-Le", FIN]))
    answer = t.client().ask(b"POST /fault HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello")
    t.check(answer.status in (502, 503, 504), "expected 502", answer)
    t.equal("POSTs at the shop", len(t.upstream.requests), 1)


@case("responses", "get-on-a-dead-pooled-connection")
def get_dead(t):
    """The shop ends the connection the moment that a second request comes: a GET may be sent again, once, or is 502."""
    def script(connection):
        request = connection.request()
        if request:
            connection.send(echo(request))
            connection.request()
            connection.reset()

    t.script(script)
    client = t.client()
    client.get("/one")
    try:
        answer = client.get("/two")
    except Short:
        return
    t.check(answer.status == 502 or answer.body.startswith(b"GET /two\n"), "expected /two or 502", answer)
    t.check(len(t.upstream.requests) <= 4, "a GET again and again", t.upstream.requests)


def informational(name, status, fields=b"", relayed=True):
    def run(t):
        t.script(faulty([b"HTTP/1.1 %s\r\n%s\r\n" % (status, fields), 0.1, CL5 + HELLO]))
        answer = t.client().get("/fault")
        t.check(answer.clean and answer.status == 200 and answer.body == HELLO, "expected 200 hello", answer)
        if relayed:
            t.check([one.status for one in answer.interim] == [int(status[:3])], "expected the 1xx", answer.interim)
            for line in fields.split(b"\r\n"):
                t.check(line.lower() in answer.interim[0].head.lower(), "its field %r" % line, answer.interim[0].head)
    add("responses", name, run)


informational("100-unasked", b"100 Continue", relayed=False)
informational("102-relayed", b"102 Processing")
informational("103-relayed", b"103 Early Hints", b"Link: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n")
informational("104-unknown-1xx-is-no-final-answer", b"104 Upload Resumption Supported", relayed=False)
informational("199-unknown-1xx-is-no-final-answer", b"199 Whatever", relayed=False)


@case("responses", "1xx-many-then-final")
def many_1xx(t):
    judge(t, [b"HTTP/1.1 102 Processing\r\n\r\n" * 10 + CL5 + HELLO], HELLO)


@case("responses", "1xx-without-end")
def endless_1xx(t):
    """There is a limit of some kind: the client hears 5xx, or the end, or a final answer never, but the proxy stays."""
    piece = b"HTTP/1.1 103 Early Hints\r\nX: %s\r\n\r\n" % (b"x" * 500) * 100

    def script(connection):
        request = connection.request()
        if request and request.target != b"/fault":
            connection.send(echo(request))
            return
        sent = 0
        while sent < 64 << 20 and connection.send(piece):
            sent += len(piece)
        connection.hold(1.0)

    t.script(script)
    client = t.client()
    try:
        answer = client.get("/fault")
        t.check(answer.status >= 500, "expected 502", answer)
    except Short:
        pass
    t.probe()


@case("responses", "101-unasked")
def unasked_101(t):
    """A 101 that nobody asked for opens no tunnel."""
    judge(t, [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 0.2, POISON], "gateway")


@case("responses", "100-with-a-length")
def length_100(t):
    """RFC 9110 §15.2: a 1xx has no body, whatever it says."""
    judge(t, [b"HTTP/1.1 100 Continue\r\nContent-Length: 6\r\n\r\n" + CL5 + HELLO], "any", bodies=(HELLO,))


# -- early answers

POST_100K = b"POST /fault HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\n"


def early(t, answer, after, rest=b"x" * 100000):
    def script(connection):
        request = connection.request(body=False)
        if request is None:
            return
        if not request.target.startswith(b"/fault"):
            request.read_body(connection.reader)
            connection.send(echo(request))
            return
        connection.reader.exactly(10)
        connection.send(answer)
        if after == FIN:
            connection.finish()
            connection.ended(5.0)
        elif after == RESET:
            time.sleep(0.2)
            connection.reset()
        else:
            connection.reader.exactly(len(rest) - 10)
            faulty([])(connection)

    t.script(script)
    client = t.client()
    client.send(POST_100K + rest[:1000])
    found = client.answer()
    client.send(rest[1000:])
    return client, found


@case("responses", "early-413-and-close")
def early_413(t):
    _client, answer = early(t, ok(b"too large", b"Connection: close\r\n", b"413 Content Too Large"), FIN)
    t.check(answer.status == 413 and answer.body == b"too large", "expected the shop's 413", answer)
    t.probe(2)


@case("responses", "early-200-while-the-body-comes")
def early_200(t):
    _client, answer = early(t, ok(b"early"), None)
    t.check(answer.status == 200 and answer.body == b"early", "expected the early 200", answer)
    t.probe(2)


@case("responses", "early-401-and-reset")
def early_401(t):
    _client, answer = early(t, ok(b"who", b"Connection: close\r\n", b"401 Unauthorized"), RESET)
    t.check(answer.status == 401 and answer.body == b"who" or answer.status in (502, 504), "expected the shop's 401", answer)
    t.probe(2)


@case("responses", "early-answer-does-not-poison-the-pool")
def early_pool(t):
    """A request whose body was not all sent leaves its connection in no pool: its rest would be the next request."""
    def script(connection):
        while request := connection.request(body=False):
            if request.target.startswith(b"/fault"):
                connection.send(ok(b"early"))
                connection.hold(3.0)
                return
            request.read_body(connection.reader)
            connection.send(echo(request))

    t.script(script)
    for _time in range(3):
        client = t.client()
        client.send(POST_100K + b"GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        answer = client.answer()
        t.equal("body", answer.body, b"early")
        client.close()
        t.probe(2)
    t.check(not [one for one in t.upstream.requests if one.target == b"/smuggled"], "a body became a request", t.upstream.requests)


@case("responses", "body-in-single-bytes")
def single_bytes(t):
    judge(t, [b"%c" % byte for byte in ok(b"hello, slow world")], b"hello, slow world")


@case("responses", "client-leaves-in-the-middle")
def client_leaves(t):
    """Its connection to the shop is used by nobody else before its answer was read to the end, or ended."""
    big = b"x" * (8 << 20)
    t.script(faulty([H + b"Content-Length: %d\r\n\r\n" % len(big), big]))
    for _time in range(4):
        client = t.client()
        client.send(b"GET /fault HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        client.reader.until(b"\r\n\r\n")
        client.close()
        t.probe(2)


@case("responses", "client-leaves-before-the-answer")
def client_leaves_early(t):
    t.script(faulty([0.3, ok(b"poison")]))
    for _time in range(4):
        client = t.client()
        client.send(b"GET /fault HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        time.sleep(0.05)
        client.close()
        t.probe(3)
