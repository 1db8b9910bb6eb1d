"""HTTP/2 frames that are broken (RFC 9113 §5.4): the stream or the connection ends."""

import struct

from groups.h2_malformed import HEAD, A, M, S
from harness.cases import Skipped, add, case
from harness.h2 import (
    ACK,
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FRAME,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    pack,
    plain,
    settings,
)

# -- broken frames: bytes on a connection that has shaken hands (stream 1 is ended, 3 is open), and what they deserve


def get(h2, stream, path=b"/x", end=True):
    return pack(
        HEADERS,
        END_HEADERS | (END_STREAM if end else 0),
        stream,
        b"".join(plain(*f) for f in [M, S, (b":path", path), A]),
    )


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
    (
        "push-promise-of-a-client",
        lambda h2: pack(PUSH_PROMISE, END_HEADERS, 3, b"\0\0\0\2" + b"".join(plain(*f) for f in HEAD)),
        "connection",
    ),
    ("continuation-alone", lambda h2: pack(CONTINUATION, END_HEADERS, 3, b""), "connection"),
    (
        "continuation-of-another-stream",
        lambda h2: pack(HEADERS, END_STREAM, 5, b"") + pack(CONTINUATION, END_HEADERS, 7, b""),
        "connection",
    ),
    (
        "continuation-interrupted",
        lambda h2: pack(HEADERS, END_STREAM, 5, b"") + pack(PING, 0, 0, b"12345678"),
        "connection",
    ),
    ("goaway-on-a-stream", lambda h2: pack(GOAWAY, 0, 3, b"\0" * 8), "connection"),
    ("goaway-length", lambda h2: pack(GOAWAY, 0, 0, b"\0" * 7), "connection"),
    ("padding-too-long", lambda h2: pack(DATA, PADDED, 3, b"\x0aabc"), "connection"),
    (
        "padding-too-long-in-headers",
        lambda h2: pack(HEADERS, PADDED | END_HEADERS | END_STREAM, 5, b"\xffabc"),
        "connection",
    ),
    ("padded-and-empty", lambda h2: pack(DATA, PADDED, 3, b""), "connection"),
    ("hpack-invalid-index", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\xff\xff\xff\x7f"), "connection"),
    ("hpack-index-0", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\x80"), "connection"),
    ("hpack-cut-text", lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\0\x7fx"), "connection"),
    (
        "hpack-bad-huffman",
        lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\0\x84\xff\xff\xff\xff\x01x"),
        "connection",
    ),
    (
        "hpack-table-size-too-large",
        lambda h2: pack(
            HEADERS, END_HEADERS | END_STREAM, 5, b"\x3f\xe1\xff\xff\x0f" + b"".join(plain(*f) for f in HEAD)
        ),
        "connection",
    ),
    (
        "hpack-endless-integer",
        lambda h2: pack(HEADERS, END_HEADERS | END_STREAM, 5, b"\xff" + b"\xff" * 100),
        "connection",
    ),
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
            told = (
                h2.goaway is not None
                or h2.reader.end
                or h2.replies[held].reset is not None
                or h2.replies[first].reset is not None
            )
            t.check(told, "expected a stream error or a connection error")
        if name != "headers-on-lower-stream":
            t.check(
                b"/x" not in [request.target for request in t.upstream.requests],
                "a request reached the shop",
                t.upstream.requests,
            )
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
    t.check(
        h2.until(lambda: False, 15) is False and h2.reader.end or h2.goaway is not None,
        "expected the end of a silent handshake",
    )


@case("h2", "head-never-ends")
def slow_head(t):
    """HEADERS without END_HEADERS, and then silence."""
    h2 = t.h2()
    h2.frame(HEADERS, END_STREAM, 1, plain(*M))
    t.check(h2.gone(15), "expected an end to a head without end")
