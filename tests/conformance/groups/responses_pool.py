"""The pool behind the answers: late bytes, dead connections, POSTs that are never sent twice, 1xx, early answers."""

import time

from groups.responses import CL5, FIN, HELLO, POISON, RESET, H, faulty, judge
from harness.cases import add, case
from harness.upstream import echo, ok
from harness.wire import Short


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
        unanswered(
            t,
            client,
            b"POST /order HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        )
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
        while sent < 16 << 20 and connection.send(piece):
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
    judge(
        t,
        [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 0.2, POISON],
        "gateway",
    )


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
    t.check(
        answer.status == 401 and answer.body == b"who" or answer.status in (502, 504), "expected the shop's 401", answer
    )
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
    t.check(
        not [one for one in t.upstream.requests if one.target == b"/smuggled"],
        "a body became a request",
        t.upstream.requests,
    )


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
