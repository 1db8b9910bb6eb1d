"""Answers of the shop that are wrong, cut, doubled or unasked for.

A row says what the client may see:
  gateway  502, 503 or 504, whole
  cut      no clean 2xx: a head whose body visibly breaks off, or 5xx
  any      something well-formed; where it is a clean 2xx, its body is one of those stated
  bytes    a clean answer with that body
After every row plain requests get their own answers: no connection to the shop was poisoned.
"""

import time

from harness.cases import Failed, add
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
        answer = client.ask(
            sent or b"%s /fault HTTP/1.1\r\nHost: shop.test\r\n\r\n" % method.encode(), method, patience
        )
    except Short as short:
        answer = None
        if want in ("gateway", "ok"):
            raise Failed("expected an answer; the connection ended without one: %s" % short.args[0]) from short
    except Slow as slow:
        raise Failed("expected an answer or the end within %d s" % patience) from slow
    if answer:
        t.check(
            not answer.faults or want == "cut" and not answer.complete,
            "expected a well-formed answer",
            answer,
            answer.head,
        )
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
    (
        "head-in-pieces",
        [b"HTTP/1.", 0.1, b"1 200 OK\r", 0.1, b"\nContent-Length: 5\r\n\r", 0.1, b"\nhe", 0.1, b"llo"],
        HELLO,
    ),
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
    (
        "head-20000-fields",
        [H + b"".join(b"X-%d: 1\r\n" % at for at in range(20000)) + b"Content-Length: 5\r\n\r\nhello"],
        "any",
    ),
    (
        "head-of-24-kib",
        [H + b"".join(b"X-%d: %s\r\n" % (at, b"x" * 2000) for at in range(12)) + b"Content-Length: 5\r\n\r\nhello"],
        HELLO,
    ),
    (
        "head-90-cookies",
        [H + b"".join(b"Set-Cookie: c%d=%d\r\n" % (at, at) for at in range(90)) + b"Content-Length: 5\r\n\r\nhello"],
        HELLO,
    ),
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
    (
        "coding-two-fields",
        [H + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(HELLO), FIN],
        "any",
    ),
    ("coding-unknown", [H + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked(HELLO), FIN], "any"),
    ("coding-identity", [H + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", FIN], "any"),
    ("coding-in-http-1.0", [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(HELLO), FIN], "any"),
    ("close-delimited", [H + b"\r\nhello", FIN], HELLO),
    ("close-delimited-empty", [H + b"\r\n", FIN], b""),
    ("close-delimited-http-1.0", [b"HTTP/1.0 200 OK\r\n\r\nhello", FIN], HELLO),
    ("close-delimited-large", [H + b"\r\n" + b"x" * 300000, FIN], b"x" * 300000),
    ("close-delimited-reset", [H + b"\r\nhello", 0.2, RESET], "cut"),
    ("length-http-1.0", [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", FIN], HELLO),
    (
        "length-http-1.0-keep-alive",
        [b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"],
        HELLO,
    ),
    ("length-http-1.0-left-open", [b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", HOLD], HELLO),
    ("length-and-connection-close", [H + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", FIN], HELLO),
    (
        "length-and-connection-close-left-open",
        [H + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", HOLD],
        HELLO,
    ),
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
    (
        "204-with-chunked-body",
        [b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"poison")],
        b"",
    ),
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
