"""Many streams on one connection, their windows, and what a receiver must put up with."""

import struct
import threading

from groups.h2_handshake import good
from harness.cases import add, case
from harness.h2 import (
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    H2,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FRAME,
    MAX_STREAMS,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    PRIORITY,
    SETTINGS,
    WINDOW_UPDATE,
    pack,
    settings,
)
from harness.upstream import echo, ok

# -- many at once


@case("h2", "100-streams-at-once")
def hundred(t):
    h2 = t.h2()
    h2.ready()
    streams = [h2.request(path=b"/%d" % at) for at in range(min(100, h2.settings.get(MAX_STREAMS, 100)))]
    for at, stream in enumerate(streams):
        good(t, h2.reply(stream), b"GET /%d\n" % at)


@case("h2", "a-slow-stream-holds-up-no-other")
def slow_stream(t):
    go = threading.Event()

    def script(connection):
        while request := connection.request():
            if request.target == b"/slow":
                go.wait(8)
            connection.send(echo(request))

    t.script(script)
    h2 = t.h2()
    slow = h2.request(path=b"/slow")
    for at in range(10):
        good(t, h2.get(b"/%d" % at), b"GET /%d\n" % at)
    t.check(not h2.replies[slow].ended, "the slow one")
    go.set()
    good(t, h2.reply(slow), b"GET /slow\n")


@case("h2", "a-stream-without-window-holds-up-no-other")
def no_window(t):
    t.answers_with(lambda request: ok(b"x" * 60000 if request.target == b"/big" else b"small"))
    h2 = H2(t.tls(alpn=("h2",)), [(INITIAL_WINDOW, 10)], auto=False)
    big = h2.request(path=b"/big")
    h2.until(lambda: len(h2.replies[big].body) >= 10)
    t.equal("within the window", len(h2.replies[big].body), 10)
    good(t, h2.get(b"/small"), b"small")
    h2.frame(WINDOW_UPDATE, 0, big, struct.pack(">I", 100000))
    good(t, h2.reply(big))
    t.equal("the whole", len(h2.replies[big].body), 60000)


@case("h2", "window-0-then-settings")
def window_settings(t):
    h2 = H2(t.tls(alpn=("h2",)), [(INITIAL_WINDOW, 0)], auto=False)
    stream = h2.request(path=b"/x")
    t.check(h2.until(lambda: h2.replies[stream].fields is not None), "the head without a window", h2.replies[stream])
    t.check(not h2.replies[stream].body, "data without a window")
    h2.frame(SETTINGS, 0, 0, settings((INITIAL_WINDOW, 1000)))
    good(t, h2.reply(stream), b"GET /x\n")


@case("h2", "connection-window-is-kept")
def connection_window(t):
    """65,535 bytes and no more, until the client says so."""
    t.answers_with(lambda request: ok(b"x" * 200000))
    h2 = H2(t.tls(alpn=("h2",)), [(INITIAL_WINDOW, 1 << 20)], auto=False)
    stream = h2.request(path=b"/x")
    h2.until(lambda: len(h2.replies[stream].body) > 65535, 1.0)
    t.equal("within the window", len(h2.replies[stream].body), 65535)
    h2.frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20))
    good(t, h2.reply(stream))


@case("h2", "max-frame-size-is-kept")
def max_frame(t):
    t.answers_with(lambda request: ok(b"x" * 50000))
    h2 = t.h2()
    h2.request(path=b"/x")
    while not h2.replies[1].ended:
        frame = h2.read()
        t.check(frame is not None and len(frame[3]) <= 16384, "a frame above 16,384", frame and len(frame[3]))


@case("h2", "events-come-at-once")
def events(t):
    seen = [threading.Event() for _ in range(4)]

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for at in range(3):
            if not seen[at].wait(6):
                return
            connection.send(b"1\r\n%d\r\n" % at)
        seen[3].wait(6)
        connection.send(b"0\r\n\r\n")

    t.script(script)
    h2 = t.h2()
    stream = h2.request(path=b"/x")
    reply = h2.replies[stream]
    t.check(h2.until(lambda: reply.fields), "the head")
    for at in range(3):
        seen[at].set()
        t.check(h2.until(lambda: len(reply.body) == at + 1, 5), "event %d" % at, reply)
    seen[3].set()
    good(t, h2.reply(stream), b"012")


@case("h2", "full-duplex")
def duplex(t):
    def script(connection):
        connection.request(body=False)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while (line := connection.reader.until(b"\r\n")) != b"0\r\n":
            data = connection.reader.exactly(int(line, 16))
            connection.reader.exactly(2)
            connection.send(b"%x\r\n%s\r\n" % (len(data), data.upper()))
        connection.send(b"0\r\n\r\n")

    t.script(script)
    h2 = t.h2()
    stream = h2.request(method=b"POST", end=False, path=b"/x")
    for at, word in enumerate((b"one", b"two", b"three")):
        h2.data(stream, word, end=False)
        t.check(
            h2.until(lambda: h2.replies[stream].body.endswith(word.upper()), 4),
            "the echo of %r" % word,
            h2.replies[stream],
        )
    h2.data(stream, b"")
    good(t, h2.reply(stream), b"ONETWOTHREE")


# -- what a receiver must put up with


def tolerated(name, send, pairs=()):
    """`send(h2)` before an ordinary exchange, which must go well."""

    def run(t):
        h2 = t.h2(pairs=pairs)
        send(h2)
        good(t, h2.get(b"/x"), b"GET /x\n")
        t.check(h2.goaway is None, "GOAWAY %r" % h2.goaway)

    add("h2", "tolerated-" + name, run)


tolerated("unknown-frame", lambda h2: h2.frame(0xFE, 0xFF, 0, b"whatever"))
tolerated("unknown-frame-on-a-stream", lambda h2: h2.frame(0x10, 0, 0, struct.pack(">I", 1) + b"u=1"))
tolerated("unknown-setting", lambda h2: h2.frame(SETTINGS, 0, 0, settings((0x99, 12345))))
tolerated("setting-twice", lambda h2: h2.frame(SETTINGS, 0, 0, settings((INITIAL_WINDOW, 1), (INITIAL_WINDOW, 100000))))
tolerated("empty-settings", lambda h2: h2.frame(SETTINGS, 0, 0))
tolerated("priority-on-idle", lambda h2: h2.frame(PRIORITY, 0, 101, struct.pack(">IB", 0, 15)))
tolerated("goaway-of-the-client-no-error", lambda h2: None)
tolerated("table-size-0", lambda h2: None, [(HEADER_TABLE_SIZE, 0)])
tolerated("table-size-large", lambda h2: None, [(HEADER_TABLE_SIZE, 1 << 20)])
tolerated("push-off", lambda h2: None, [(ENABLE_PUSH, 0), (MAX_STREAMS, 0)])
tolerated("max-frame-of-16-mib", lambda h2: None, [(MAX_FRAME, (1 << 24) - 1)])
tolerated(
    "reserved-bit",
    lambda h2: h2.raw(struct.pack(">I", 8)[1:] + bytes((PING, 0)) + struct.pack(">I", 1 << 31) + b"12345678"),
)


@case("h2", "padding-and-priority-in-headers")
def padded(t):
    h2 = t.h2()
    stream = h2.stream()
    block = h2.encoder.encode(h2.head(b"POST", b"/x"))
    h2.frame(
        HEADERS, END_HEADERS | PADDED | PRIORITIZED, stream, b"\x05" + struct.pack(">IB", 0, 200) + block + b"\0" * 5
    )
    h2.frame(DATA, PADDED, stream, b"\x03hel\0\0\0")
    h2.frame(DATA, PADDED | END_STREAM, stream, b"\x00lo")
    good(t, h2.reply(stream), b"POST /x\nhello")


@case("h2", "head-in-continuations")
def continuations(t):
    h2 = t.h2()
    stream = h2.stream()
    block = h2.encoder.encode(h2.head(path=b"/x", fields=[(b"x-long", b"v" * 3000)]))
    h2.frame(HEADERS, END_STREAM, stream, block[:10])
    for at in range(10, len(block), 500):
        h2.frame(CONTINUATION, END_HEADERS if at + 500 >= len(block) else 0, stream, block[at : at + 500])
    good(t, h2.reply(stream), b"GET /x\n")
    t.equal("x-long", len(t.one_request().get(b"x-long")), 3000)


@case("h2", "one-byte-at-a-time")
def bytewise(t):
    h2 = t.h2(start=False)
    stream = h2.stream()
    data = (
        PREFACE
        + pack(SETTINGS, 0, 0)
        + pack(HEADERS, END_HEADERS | END_STREAM, stream, h2.encoder.encode(h2.head(path=b"/x")))
    )
    for byte in data:
        h2.raw(bytes((byte,)))
    good(t, h2.reply(stream), b"GET /x\n")


@case("h2", "200-requests-on-one-connection")
def many(t):
    h2 = t.h2()
    for at in range(200):
        good(t, h2.get(b"/%d" % at, fields=[(b"x-at", b"%d" % at)]), b"GET /%d\n" % at)
