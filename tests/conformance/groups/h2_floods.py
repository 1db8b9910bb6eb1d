"""HTTP/2 floods (RFC 9113 §10.5): the proxy ends them, or bears them, and serves others all the while."""

import time

from groups.h2_broken import get
from groups.h2_malformed import HEAD
from harness.cases import add, case
from harness.h2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    H2,
    HEADERS,
    INITIAL_WINDOW,
    MAX_STREAMS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    pack,
    plain,
    settings,
)
from harness.upstream import echo, ok
from harness.wire import Slow

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
    t.answers_with(
        lambda request: echo(request) if request.target.startswith(b"/probe") else time.sleep(0.2) or echo(request)
    )

    def piece(h2, at):
        return b"".join(
            get(h2, stream) + pack(RST_STREAM, 0, stream, b"\0\0\0\x08")
            for stream in range(at * 200 + 1, at * 200 + 201, 2)
        )

    _h2, ended = flood(t, piece, 200)
    got = len([request for request in t.upstream.requests if request.target == b"/x"])
    t.check(ended or got < 5000, "20,000 resets were borne, and %d requests reached the shop" % got)


@case("h2", "flood-continuation")
def continuation_flood(t):
    """CVE-2024-27316 and others: a head without end."""

    def piece(h2, at):
        block = b"".join(plain(b"x-%d-%d" % (at, n), b"v" * 100) for n in range(100))
        return (
            pack(HEADERS, END_STREAM, 1, b"".join(plain(*f) for f in HEAD))
            if at == 0
            else pack(CONTINUATION, 0, 1, block)
        )

    _h2, ended = flood(t, piece, 3000)
    t.check(ended, "a head of 30 MiB was taken")


@case("h2", "flood-empty-continuations")
def empty_continuations(t):
    def piece(h2, at):
        return (
            pack(HEADERS, END_STREAM, 1, b"".join(plain(*f) for f in HEAD))
            if at == 0
            else pack(CONTINUATION, 0, 1) * 1000
        )

    flood(t, piece, 500)


@case("h2", "flood-header-list")
def header_list(t):
    """One head of 1 MiB of fields: 431, a stream error or a connection error."""
    h2 = t.h2()
    stream = h2.literal(HEAD + [(b"x-%d" % at, b"v" * 1000) for at in range(1200)])
    reply = h2.replies[stream]
    h2.until(lambda: reply.ended or reply.reset is not None or h2.goaway is not None, 6)
    t.check(
        reply.status in (400, 413, 431) or reply.reset is not None or h2.goaway is not None or h2.reader.end,
        "expected 431",
        reply,
    )
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
    t.check(
        not [request for request in t.upstream.requests if len(request.head) > 1 << 20], "40 MiB of head at the shop"
    )
    t.probe()


for name, piece, rounds in (
    ("ping", lambda h2, at: pack(PING, 0, 0, b"12345678") * 500, 400),
    ("settings", lambda h2, at: pack(SETTINGS, 0, 0, settings((INITIAL_WINDOW, 65535))) * 500, 400),
    ("priority", lambda h2, at: pack(PRIORITY, 0, 9, b"\0\0\0\0\x10") * 500, 400),
    ("window-update", lambda h2, at: pack(WINDOW_UPDATE, 0, 0, b"\0\0\0\1") * 500, 400),
    ("unknown-frames", lambda h2, at: pack(0xF0, 0, 0, b"x" * 100) * 200, 400),
    ("empty-data", lambda h2, at: (get(h2, 1, end=False) if at == 0 else b"") + pack(DATA, 0, 1) * 500, 400),
    (
        "resets-by-error",
        lambda h2, at: b"".join(
            pack(HEADERS, END_HEADERS | END_STREAM, s, plain(b":bad", b"x"))
            for s in range(at * 200 + 1, at * 200 + 201, 2)
        ),
        100,
    ),
):

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
    t.answers_with(
        lambda request: echo(request) if request.target.startswith(b"/probe") else time.sleep(1.0) or echo(request)
    )
    h2 = t.h2()
    h2.ready()
    most = h2.settings.get(MAX_STREAMS, 128)
    t.check(most <= 1000, "the limit", most)
    streams = [h2.request(path=b"/x") for _ in range(most + 20)]
    h2.until(
        lambda: h2.goaway is not None or all(h2.replies[s].ended or h2.replies[s].reset is not None for s in streams),
        12,
    )
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
        if (
            not h2.until(
                lambda count=len(reply.body): reply.ended or len(reply.body) > count or h2.goaway is not None, 3
            )
            or reply.ended
            or h2.goaway is not None
        ):
            break
        h2.frame(WINDOW_UPDATE, 0, stream, b"\0\0\0\1")
    h2.until(lambda: reply.ended, 2)
    t.check(reply.ended and len(reply.body) == 300 or h2.goaway is not None, "the body, or GOAWAY", reply)
