"""HTTP/2 from those who mean harm: malformed heads, broken frames, floods. (RFC 9113 §8.1.1, §5.4, §10.5)"""
import re
import struct
import time

from harness.cases import Failed, Skipped, add, case
from harness.h2 import (ACK, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, GOAWAY, HEADERS, INITIAL_WINDOW, MAX_FRAME,
                        MAX_STREAMS, PADDED, PING, PREFACE, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, H2, pack, plain,
                        settings)
from harness.upstream import echo, ok, serving
from harness.wire import Slow

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
    ("no-method", [S, P, A]), ("no-scheme", [M, P, A]), ("no-path", [M, S, A]), ("no-pseudo-at-all", [(b"x", b"y")]),
    ("method-twice", [M, M, S, P, A]), ("path-twice", [M, S, P, (b":path", b"/smuggled"), A]),
    ("authority-twice", [M, S, P, A, (b":authority", b"evil.test")]), ("scheme-twice", [M, S, S, P, A]),
    ("path-empty", [M, S, (b":path", b""), A]), ("method-empty", [(b":method", b""), S, P, A]),
    ("unknown-pseudo", HEAD + [(b":own", b"x")]), ("status-in-a-request", HEAD + [(b":status", b"200")]),
    ("pseudo-after-field", [M, S, P, (b"x", b"y"), A]), ("pseudo-last", [(b"x", b"y"), M, S, P, A]),
    ("name-upper-case", HEAD + [(b"X-Upper", b"1")]), ("name-empty", HEAD + [(b"", b"1")]),
    ("name-space", HEAD + [(b"x y", b"1")]), ("name-colon", HEAD + [(b"x:y", b"1")]),
    ("name-crlf", HEAD + [(b"x: 1\r\nsmuggled", b"1")]), ("name-lf", HEAD + [(b"x\nsmuggled", b"1")]),
    ("name-nul", HEAD + [(b"x\0y", b"1")]), ("name-del", HEAD + [(b"x\x7f", b"1")]), ("name-high-byte", HEAD + [(b"x\xe9", b"1")]),
    ("value-crlf", HEAD + [(b"x", b"1\r\nsmuggled: 1")]), ("value-lf", HEAD + [(b"x", b"1\nsmuggled: 1")]),
    ("value-cr", HEAD + [(b"x", b"1\rsmuggled: 1")]), ("value-nul", HEAD + [(b"x", b"1\0smuggled")]),
    ("value-request", HEAD + [(b"x", b"1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.test")]),
    ("path-crlf", [M, S, (b":path", b"/x HTTP/1.1\r\nsmuggled: 1\r\nx: "), A]), ("path-space", [M, S, (b":path", b"/x smuggled"), A]),
    ("path-no-slash", [M, S, (b":path", b"smuggled"), A]), ("path-absolute", [M, S, (b":path", b"http://evil.test/x"), A]),
    ("path-star-on-get", [M, S, (b":path", b"*"), A]), ("path-nul", [M, S, (b":path", b"/x\0"), A]),
    ("method-crlf", [(b":method", b"GET /smuggled HTTP/1.1\r\nx:"), S, P, A]), ("method-space", [(b":method", b"GET /smuggled"), S, P, A]),
    ("authority-crlf", [M, S, P, (b":authority", b"shop.test\r\nsmuggled: 1")]), ("authority-space", [M, S, P, (b":authority", b"shop.test smuggled")]),
    ("authority-slash", [M, S, P, (b":authority", b"shop.test/smuggled")]),
    ("authority-userinfo", [M, S, P, (b":authority", b"user:x@shop.test")]),
    ("scheme-crlf", [M, (b":scheme", b"https\r\nsmuggled: 1"), P, A]), ("scheme-url", [M, (b":scheme", b"http://shop.test/smuggled?"), P, A]),
    ("host-and-authority-differ", HEAD + [(b"host", b"evil.test")]), ("host-twice", [M, S, P, (b"host", b"shop.test"), (b"host", b"evil.test")]),
    ("no-host-at-all", [M, S, P]),
    ("connection", HEAD + [(b"connection", b"close")]), ("connection-named", HEAD + [(b"connection", b"x-a"), (b"x-a", b"1")]),
    ("transfer-encoding", HEAD + [(b"transfer-encoding", b"chunked")]), ("keep-alive", HEAD + [(b"keep-alive", b"timeout=5")]),
    ("proxy-connection", HEAD + [(b"proxy-connection", b"keep-alive")]), ("upgrade", HEAD + [(b"upgrade", b"websocket")]),
    ("te-gzip", HEAD + [(b"te", b"gzip")]),
    ("connect", [(b":method", b"CONNECT"), (b":authority", b"shop.test:80")]),
    ("connect-with-path", [(b":method", b"CONNECT"), S, P, A]),
    ("protocol-without-connect", HEAD + [(b":protocol", b"websocket")]),
    ("content-length-word", HEAD + [(b"content-length", b"x")]), ("content-length-minus", HEAD + [(b"content-length", b"-1")]),
    ("content-length-without-body", HEAD + [(b"content-length", b"5")]),
]
# What RFC 9113 calls malformed and what can be passed on without harm, if it is made clean on the way.
LENIENT = {"connection", "connection-named", "keep-alive", "proxy-connection", "upgrade", "te-gzip", "transfer-encoding", "no-host-at-all",
           "host-and-authority-differ", "name-upper-case", "scheme-twice", "authority-userinfo", "scheme-url", "path-absolute"}

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
        t.check(b"smuggled" not in b"".join(request.start for request in t.upstream.requests), "smuggled", t.upstream.requests)
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


# -- broken frames: bytes on a connection that has shaken hands (stream 1 is ended, 3 is open), and what they deserve

def get(h2, stream, path=b"/x", end=True):
    return pack(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, b"".join(plain(*f) for f in [M, S, (b":path", path), A]))


def too_large(h2, kind):
    """One byte above what the proxy announced, where that can be written."""
    length = (h2.settings or {}).get(MAX_FRAME, 16384) + 1
    if length >= 1 << 24:
        raise Skipped("no frame is too large for it")
    return struct.pack(">I", length)[1:] + bytes((kind, END_HEADERS)) + struct.pack(">I", 3) + b"\0" * length


BROKEN = [
    ("data-on-stream-0", lambda h2: pack(DATA, 0, 0, b"x"), "connection"),
    ("headers-on-stream-0", lambda h2: get(h2, 0), "connection"),
    ("headers-on-even-stream", lambda h2: get(h2, 4), "connection"),
    ("headers-on-lower-stream", lambda h2: get(h2, 9) + get(h2, 7), "connection"),
    ("headers-on-ended-stream", lambda h2: get(h2, 1), "connection"),
    ("data-on-idle-stream", lambda h2: pack(DATA, 0, 99, b"x"), "connection"),
    ("data-on-ended-stream", lambda h2: pack(DATA, 0, 1, b"x"), "stream"),
    ("frame-too-large", lambda h2: too_large(h2, DATA), "connection"),
    ("headers-too-large", lambda h2: too_large(h2, HEADERS), "connection"),
    ("settings-length", lambda h2: pack(SETTINGS, 0, 0, b"12345"), "connection"),
    ("settings-on-a-stream", lambda h2: pack(SETTINGS, 0, 3), "connection"),
    ("settings-ack-with-payload", lambda h2: pack(SETTINGS, ACK, 0, b"123456"), "connection"),
    ("settings-push-2", lambda h2: pack(SETTINGS, 0, 0, settings((ENABLE_PUSH, 2))), "connection"),
    ("settings-window-too-large", lambda h2: pack(SETTINGS, 0, 0, settings((INITIAL_WINDOW, 1 << 31))), "connection"),
    ("settings-frame-too-small", lambda h2: pack(SETTINGS, 0, 0, settings((MAX_FRAME, 100))), "connection"),
    ("settings-frame-too-large", lambda h2: pack(SETTINGS, 0, 0, settings((MAX_FRAME, 1 << 24))), "connection"),
    ("ping-length", lambda h2: pack(PING, 0, 0, b"1234567"), "connection"),
    ("ping-on-a-stream", lambda h2: pack(PING, 0, 3, b"12345678"), "connection"),
    ("window-update-0", lambda h2: pack(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), "connection"),
    ("window-update-0-on-a-stream", lambda h2: pack(WINDOW_UPDATE, 0, 3, b"\0\0\0\0"), "stream"),
    ("window-update-length", lambda h2: pack(WINDOW_UPDATE, 0, 0, b"\0\0\1"), "connection"),
    ("window-update-on-idle", lambda h2: pack(WINDOW_UPDATE, 0, 99, b"\0\0\0\1"), "connection"),
    ("window-overflow", lambda h2: pack(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2, "connection"),
    ("window-overflow-on-a-stream", lambda h2: pack(WINDOW_UPDATE, 0, 3, b"\x7f\xff\xff\xff") * 2, "stream"),
    ("reset-on-idle", lambda h2: pack(RST_STREAM, 0, 99, b"\0\0\0\x08"), "connection"),
    ("reset-on-stream-0", lambda h2: pack(RST_STREAM, 0, 0, b"\0\0\0\x08"), "connection"),
    ("reset-length", lambda h2: pack(RST_STREAM, 0, 3, b"\0\0\x08"), "connection"),
    ("priority-length", lambda h2: pack(PRIORITY, 0, 3, b"\0\0\0\0"), "stream"),
    ("priority-on-stream-0", lambda h2: pack(PRIORITY, 0, 0, b"\0\0\0\0\0"), "connection"),
    ("push-promise-of-a-client", lambda h2: pack(PUSH_PROMISE, END_HEADERS, 3, b"\0\0\0\2" + b"".join(plain(*f) for f in HEAD)), "connection"),
    ("continuation-alone", lambda h2: pack(CONTINUATION, END_HEADERS, 3, b""), "connection"),
    ("continuation-of-another-stream", lambda h2: pack(HEADERS, END_STREAM, 5, b"") + pack(CONTINUATION, END_HEADERS, 7, b""), "connection"),
    ("continuation-interrupted", lambda h2: pack(HEADERS, END_STREAM, 5, b"") + pack(PING, 0, 0, b"12345678"), "connection"),
    ("goaway-on-a-stream", lambda h2: pack(GOAWAY, 0, 3, b"\0" * 8), "connection"),
    ("goaway-length", lambda h2: pack(GOAWAY, 0, 0, b"\0" * 7), "connection"),
    ("padding-too-long", lambda h2: pack(DATA, PADDED, 3, b"\x0aabc"), "connection"),
    ("padding-too-long-in-headers", lambda h2: pack(HEADERS, PADDED | END_HEADERS | END_STREAM, 5, b"\xffabc"), "connection"),
    ("padded-and-empty", lambda h2: pack(DATA, PADDED, 3, b""), "connection"),
    ("hpack-invalid-index", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\xff\xff\xff\x7f"), "connection"),
    ("hpack-index-0", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\x80"), "connection"),
    ("hpack-cut-text", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\0\x7fx"), "connection"),
    ("hpack-bad-huffman", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\0\x84\xff\xff\xff\xff\x01x"), "connection"),
    ("hpack-table-size-too-large", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\x3f\xe1\xff\xff\x0f" + b"".join(plain(*f) for f in HEAD)), "connection"),
    ("hpack-endless-integer", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\xff" + b"\xff" * 100), "connection"),
]

for name, make, want in BROKEN:
    def run(t, name=name, make=make, want=want):
        h2 = t.h2()
        h2.ready()
        first = h2.request(path=b"/first")
        t.check(h2.reply(first).clean, "the first exchange")
        held = h2.request(path=b"/held", method=b"POST", end=False)
        h2.frame(PING, 0, 0, b"in order")
        h2.until(lambda: h2.pongs)
        h2.raw(make(h2))
        if want == "connection":
            t.check(h2.gone(), "expected a connection error; %r" % h2.replies)
            t.check(h2.goaway != 0 or h2.reader.end, "expected a GOAWAY with an error", h2.goaway)
        else:
            h2.frame(PING, 0, 0, b"then you")
            h2.until(lambda: h2.goaway is not None or h2.replies[held].reset is not None or len(h2.pongs) > 1, 6)
            h2.until(lambda: h2.goaway is not None or h2.replies[held].reset is not None, 0.5)
            told = h2.goaway is not None or h2.reader.end or h2.replies[held].reset is not None or h2.replies[first].reset is not None
            t.check(told, "expected a stream error or a connection error")
        if name != "headers-on-lower-stream":
            t.check(b"/x" not in [request.target for request in t.upstream.requests], "a request reached the shop", t.upstream.requests)
        t.probe()
    add("h2", "broken-" + name, run)


@case("h2", "bad-preface")
def bad_preface(t):
    h2 = t.h2(start=False)
    h2.raw(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + pack(SETTINGS, 0, 0))
    t.check(h2.gone(), "expected the end")
    t.probe()


@case("h2", "http-1.1-on-an-h2-connection")
def h1_on_h2(t):
    h2 = t.h2(start=False)
    h2.raw(b"GET /smuggled HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    t.check(h2.gone(8), "expected the end")
    t.equal("what the shop got", t.upstream.received, b"")


@case("h2", "first-frame-is-not-settings")
def no_settings(t):
    h2 = t.h2(start=False)
    h2.raw(PREFACE + pack(PING, 0, 0, b"12345678") + get(h2, 1))
    t.check(h2.gone(), "expected a connection error")


@case("h2", "preface-never-comes")
def no_preface(t):
    h2 = t.h2(start=False)
    t.check(h2.until(lambda: False, 15) is False and h2.reader.end or h2.goaway is not None, "expected the end of a silent handshake")


@case("h2", "head-never-ends")
def slow_head(t):
    """HEADERS without END_HEADERS, and then silence."""
    h2 = t.h2()
    h2.frame(HEADERS, END_STREAM, 1, plain(*M))
    t.check(h2.gone(15), "expected an end to a head without end")


# -- floods: the proxy ends it, or bears it without harm; it serves others all the while

def flood(t, piece, rounds, most=None, pairs=(), auto=False):
    """Sends `piece(round)` until the proxy ends the connection or `rounds` are over; whether it ended it."""
    h2 = t.h2(pairs=pairs, auto=auto)
    h2.ready()
    before = t.proxy.memory()
    began = time.monotonic()
    ended = False
    for at in range(rounds):
        if not h2.raw(piece(h2, at)):
            ended = True
            break
        try:
            while h2.reader.buffer or h2.reader.more(time.monotonic() + 0.0005):
                if h2.read(1) is None:
                    break
        except Slow:
            pass
        if h2.goaway is not None or h2.reader.end or time.monotonic() - began > 8:
            ended = h2.goaway is not None or bool(h2.reader.end)
            break
    grown = t.proxy.memory() - before
    t.check(grown < 64 << 20, "the proxy grew by %d MiB" % (grown >> 20))
    t.probe()
    return h2, ended


@case("h2", "flood-rapid-reset")
def rapid_reset(t):
    """CVE-2023-44487: request and reset, over and over. It ends, and the shop does not get them all."""
    t.answers_with(lambda request: echo(request) if request.target.startswith(b"/probe") else time.sleep(0.2) or echo(request))

    def piece(h2, at):
        return b"".join(get(h2, stream) + pack(RST_STREAM, 0, stream, b"\0\0\0\x08") for stream in range(at * 200 + 1, at * 200 + 201, 2))

    _h2, ended = flood(t, piece, 200)
    got = len([request for request in t.upstream.requests if request.target == b"/x"])
    t.check(ended or got < 5000, "20,000 resets were borne, and %d requests reached the shop" % got)


@case("h2", "flood-continuation")
def continuation_flood(t):
    """CVE-2024-27316 and others: a head without end."""
    def piece(h2, at):
        block = b"".join(plain(b"x-%d-%d" % (at, n), b"v" * 100) for n in range(100))
        return pack(HEADERS, END_STREAM, 1, b"".join(plain(*f) for f in HEAD)) if at == 0 else pack(CONTINUATION, 0, 1, block)

    _h2, ended = flood(t, piece, 3000)
    t.check(ended, "a head of 30 MiB was taken")


@case("h2", "flood-empty-continuations")
def empty_continuations(t):
    def piece(h2, at):
        return pack(HEADERS, END_STREAM, 1, b"".join(plain(*f) for f in HEAD)) if at == 0 else pack(CONTINUATION, 0, 1) * 1000

    flood(t, piece, 500)


@case("h2", "flood-header-list")
def header_list(t):
    """One head of 1 MiB of fields: 431, a stream error or a connection error."""
    h2 = t.h2()
    stream = h2.literal(HEAD + [(b"x-%d" % at, b"v" * 1000) for at in range(1200)])
    reply = h2.replies[stream]
    h2.until(lambda: reply.ended or reply.reset is not None or h2.goaway is not None, 6)
    t.check(reply.status in (400, 413, 431) or reply.reset is not None or h2.goaway is not None or h2.reader.end, "expected 431", reply)
    t.check(not t.upstream.requests, "it reached the shop")
    t.probe()


@case("h2", "flood-hpack-bomb")
def bomb(t):
    """A large field in the table, then one byte for each repetition."""
    h2 = t.h2()
    h2.ready()
    before = t.proxy.memory()
    big = b"\x40\x01x" + b"\x7f" + bytes((0x80 | (3900 - 127) % 128, (3900 - 127) >> 7)) + b"v" * 3900
    h2.raw(pack(HEADERS, END_HEADERS | END_STREAM, 1, b"".join(plain(*f) for f in HEAD) + big))
    for stream in range(3, 43, 2):
        h2.raw(pack(HEADERS, END_HEADERS | END_STREAM, stream, b"".join(plain(*f) for f in HEAD) + b"\xbe" * 12000))
    h2.until(lambda: h2.goaway is not None, 1.5)
    grown = t.proxy.memory() - before
    t.check(grown < 128 << 20, "the proxy grew by %d MiB" % (grown >> 20))
    t.check(not [request for request in t.upstream.requests if len(request.head) > 1 << 20], "40 MiB of head at the shop")
    t.probe()


for name, piece, rounds in (
        ("ping", lambda h2, at: pack(PING, 0, 0, b"12345678") * 500, 400),
        ("settings", lambda h2, at: pack(SETTINGS, 0, 0, settings((INITIAL_WINDOW, 65535))) * 500, 400),
        ("priority", lambda h2, at: pack(PRIORITY, 0, 9, b"\0\0\0\0\x10") * 500, 400),
        ("window-update", lambda h2, at: pack(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 500, 400),
        ("unknown-frames", lambda h2, at: pack(0xf0, 0, 0, b"x" * 100) * 200, 400),
        ("empty-data", lambda h2, at: (get(h2, 1, end=False) if at == 0 else b"") + pack(DATA, 0, 1) * 500, 400),
        ("resets-by-error", lambda h2, at: b"".join(pack(HEADERS, END_HEADERS | END_STREAM, s, plain(b":bad", b"x")) for s in range(at * 200 + 1, at * 200 + 201, 2)), 100)):
    def run(t, piece=piece, rounds=rounds):
        flood(t, piece, rounds)
    add("h2", "flood-" + name, run)


@case("h2", "flood-unread-pongs")
def unread(t):
    """PINGs whose answers nobody reads: they do not pile up without end."""
    h2 = H2(t.tls(alpn=("h2",), receive_buffer=4096), auto=False)
    before, sent = t.proxy.memory(), 0
    h2.client.sock.settimeout(2)
    try:
        for _at in range(4000):
            h2.client.sock.sendall(pack(PING, 0, 0, b"12345678") * 1000)
            sent += 1000
    except OSError:
        pass
    grown = t.proxy.memory() - before
    t.check(grown < 48 << 20, "the proxy grew by %d MiB over %d PINGs" % (grown >> 20, sent))
    t.probe()


@case("h2", "streams-above-the-limit")
def above(t):
    """More streams than announced: refused, each or all; none is lost without a word."""
    t.answers_with(lambda request: echo(request) if request.target.startswith(b"/probe") else time.sleep(1.0) or echo(request))
    h2 = t.h2()
    h2.ready()
    most = h2.settings.get(MAX_STREAMS, 128)
    t.check(most <= 1000, "the limit", most)
    streams = [h2.request(path=b"/x") for _ in range(most + 20)]
    h2.until(lambda: h2.goaway is not None or all(h2.replies[s].ended or h2.replies[s].reset is not None for s in streams), 12)
    over = [s for s in streams if h2.replies[s].reset is not None]
    t.check(over or h2.goaway is not None or h2.reader.end, "%d streams at once were taken" % len(streams))


@case("h2", "zero-window-forever")
def zero_window(t):
    """A client that asks for much and takes nothing: what waits for it is bounded, in bytes and in time."""
    t.answers_with(lambda request: ok(b"x" * (20 << 20)))
    h2 = H2(t.tls(alpn=("h2",)), [(INITIAL_WINDOW, 0)], auto=False)
    before = t.proxy.memory()
    for _at in range(10):
        h2.request(path=b"/x")
    h2.until(lambda: h2.goaway is not None, 2)
    grown = t.proxy.memory() - before
    t.check(grown < 64 << 20, "the proxy holds %d MiB for a client without a window" % (grown >> 20))


@case("h2", "window-drip")
def drip(t):
    """One byte of window at a time costs no more than it should."""
    t.answers_with(lambda request: ok(b"x" * 300))
    h2 = H2(t.tls(alpn=("h2",)), [(INITIAL_WINDOW, 1)], auto=False)
    stream = h2.request(path=b"/x")
    reply = h2.replies[stream]
    for _at in range(300):
        if not h2.until(lambda count=len(reply.body): reply.ended or len(reply.body) > count or h2.goaway is not None, 3) or reply.ended or h2.goaway is not None:
            break
        h2.frame(WINDOW_UPDATE, 0, stream, b"\0\0\0\1")
    h2.until(lambda: reply.ended, 2)
    t.check(reply.ended and len(reply.body) == 300 or h2.goaway is not None, "the body, or GOAWAY", reply)
