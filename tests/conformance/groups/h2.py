"""HTTP/2 to the client: what must work."""
import base64
import hashlib
import socket
import ssl
import struct
import threading
import time

from harness.cases import add, case
from harness.client import tls_context, wait_for
from harness.h2 import (CONNECT_PROTOCOL, CONTINUATION, DATA, ENABLE_PUSH, END_HEADERS, END_STREAM, GOAWAY, HEADER_TABLE_SIZE,
                        HEADERS, H2, INITIAL_WINDOW, MAX_FRAME, MAX_STREAMS, PADDED, PING, PREFACE, PRIORITIZED, PRIORITY, RST_STREAM,
                        SETTINGS, WINDOW_UPDATE, pack, settings)
from harness.upstream import echo, ok, serving
from harness.wire import Short, Slow, chunked


def good(t, reply, body=None, status=200):
    t.check(reply.clean and reply.status == status, "expected %d, ended" % status, reply, reply.fields)
    if body is not None:
        t.equal("body", bytes(reply.body), body)


# -- the handshake

@case("h2", "alpn-h2")
def alpn_h2(t):
    t.equal("chosen", t.tls(alpn=("h2", "http/1.1")).sock.selected_alpn_protocol(), "h2")


@case("h2", "alpn-http-1.1")
def alpn_h1(t):
    client = t.tls(alpn=("http/1.1",))
    t.check(client.sock.selected_alpn_protocol() == "http/1.1", "chosen", client.sock.selected_alpn_protocol())
    t.equal("body", client.get("/x").body, b"GET /x\n")


@case("h2", "alpn-none-is-http-1.1")
def alpn_none(t):
    t.equal("body", t.tls(alpn=()).get("/x").body, b"GET /x\n")


@case("h2", "alpn-unknown-only")
def alpn_unknown(t):
    """RFC 7301 §3.2: a fatal alert; many serve HTTP/1.1 without a word."""
    try:
        client = t.tls(alpn=("x-own",))
    except (ssl.SSLError, OSError):
        return
    t.check(client.sock.selected_alpn_protocol() is None, "chosen", client.sock.selected_alpn_protocol())


for name, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
    def run(t, version=version, name=name):
        client = t.tls(minimum=version, maximum=version)
        t.equal("version", client.sock.version(), "TLSv" + name)
        t.equal("body", client.get("/x").body, b"GET /x\n")
        h2 = H2(t.tls(alpn=("h2",), minimum=version, maximum=version))
        good(t, h2.get(b"/y"), b"GET /y\n")
    add("h2", "tls-" + name, run)


@case("h2", "tls-1.1-is-refused")
def tls_1_1(t):
    t.need("tls")
    context = tls_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    sock = socket.create_connection(("127.0.0.1", t.proxy.tls), 5)
    try:
        context.wrap_socket(sock, server_hostname="shop.test")
    except (ssl.SSLError, OSError):
        return
    finally:
        sock.close()
    t.check(False, "TLS 1.1 was spoken")


def subject(t, name):
    client = t.tls(name=name)
    data = client.sock.getpeercert(binary_form=True)
    return b"other.test" if b"other.test" in data else b"shop.test" if b"shop.test" in data else data


for name, host, wanted in (("first", "shop.test", b"shop.test"), ("second", "other.test", b"other.test"),
                           ("wildcard", "a.wild.test", b"other.test"), ("upper-case", "OTHER.test", b"other.test"),
                           ("none", None, b"shop.test")):
    add("h2", "sni-" + name, lambda t, host=host, wanted=wanted: t.equal("certificate", subject(t, host), wanted))


@case("h2", "plain-http-on-the-tls-port")
def plain_on_tls(t):
    """An answer in the clear, or the end: nothing reaches the shop."""
    t.need("tls")
    client = t.client(port=t.proxy.tls)
    client.send(b"GET /x HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    t.check(client.ended(8), "expected the end")
    t.equal("what the shop got", t.upstream.received, b"")


@case("h2", "prior-knowledge-in-the-clear")
def prior(t):
    """Refused or served; the preface is never passed on."""
    t.answers_with(echo)
    h2 = H2(t.client())
    h2.request(path=b"/x")
    h2.until(lambda: h2.replies[1].ended or h2.goaway is not None, 5)
    t.check(b"PRI " not in t.upstream.received, "the preface reached the shop", t.upstream.received)
    t.check(h2.replies[1].ended or h2.reader.end or h2.reader.taken, "served, refused or ended", h2.replies[1])
    t.probe()


# -- exchanges

@case("h2", "get")
def get(t):
    h2 = t.h2()
    good(t, h2.get(b"/x?a=b"), b"GET /x?a=b\n")
    request = t.one_request()
    t.equal("the request line", request.start, b"GET /x?a=b HTTP/1.1")
    t.equal("Host", request.get(b"host"), b"shop.test")
    t.check(not request.all(b"content-length") and not request.coded, "a GET with a body", request.head)
    t.equal("X-Forwarded-Proto", request.get(b"x-forwarded-proto"), b"https")
    t.equal("X-Forwarded-For", request.get(b"x-forwarded-for"), b"127.0.0.1")


@case("h2", "settings-and-ping-are-answered")
def settings_ping(t):
    h2 = t.h2()
    h2.frame(PING, 0, 0, b"12345678")
    t.check(h2.until(lambda: h2.pongs and h2.acknowledged and h2.settings is not None), "SETTINGS, its ACK and PONG", h2.pongs, h2.settings)
    t.equal("the pong", h2.pongs, [b"12345678"])


@case("h2", "stream-limit-is-announced")
def limit(t):
    h2 = t.h2()
    h2.ready()
    t.check(0 < h2.settings.get(MAX_STREAMS, 1 << 32) <= 1000, "SETTINGS_MAX_CONCURRENT_STREAMS", h2.settings)


for name, size, announced in (("with-length", 100000, True), ("without-length", 100000, False), ("empty", 0, True), ("of-5-mib", 5 << 20, True)):
    def run(t, size=size, announced=announced):
        body = (bytes(range(256)) * (size // 256 + 1))[:size]
        t.answers_with(lambda request: ok(request.body))
        h2 = t.h2()
        h2.ready()
        stream = h2.request(end=not size and not announced,
                            whole=h2.head(b"POST", fields=[(b"content-length", b"%d" % size)] if announced else []))
        if size:
            t.check(h2.upload(stream, body), "the upload")
        elif announced:
            h2.data(stream, b"")
        good(t, h2.reply(stream, 15), body)
        request = t.one_request()
        if announced:
            t.equal("Content-Length at the shop", request.get(b"content-length"), b"%d" % size)
    add("h2", "post-" + name, run)


@case("h2", "download-of-20-mib")
def download(t):
    body = bytes(range(256)) * 4 * 20480
    t.answers_with(lambda request: ok(body))
    reply = t.h2().get(b"/x", patience=25)
    t.check(reply.clean and bytes(reply.body) == body, "the body", reply)
    t.equal("content-length", reply.get(b"content-length"), b"%d" % len(body))


for name, data, status, body in (
        ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello"), 200, b"hello"),
        ("204", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        ("304", b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", 304, b""),
        ("404", ok(b"none", b"", b"404 Nothing Here"), 404, b"none"),
        ("599", ok(b"odd", b"", b"599 Odd"), 599, b"odd"),
        ("empty", ok(), 200, b"")):
    def run(t, data=data, status=status, body=body):
        t.answers_with(lambda request: data)
        good(t, t.h2().get(b"/x"), body, status)
    add("h2", "answer-" + name, run)


@case("h2", "answer-close-delimited")
def close_delimited(t):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")

    t.script(script)
    good(t, t.h2().get(b"/x"), b"hello")


@case("h2", "head")
def head(t):
    t.answers_with(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    reply = t.h2().get(b"/x", method=b"HEAD")
    good(t, reply, b"")
    t.equal("content-length", reply.get(b"content-length"), b"1234")


@case("h2", "answer-fields")
def answer_fields(t):
    """Lower-case, in order, repeated ones apart, and nothing of the connection."""
    t.answers_with(lambda request: ok(b"x", b"Set-Cookie: a=1\r\nX-Odd: caf\xe9\r\nSet-Cookie: b=2\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\n"
                                      b"Keep-Alive: timeout=5\r\nUpgrade: x\r\nProxy-Connection: x\r\nServer: shop\r\n"))
    reply = t.h2().get(b"/x")
    good(t, reply, b"x")
    t.equal("set-cookie", reply.all(b"set-cookie"), [b"a=1", b"b=2"])
    t.equal("x-odd", reply.get(b"x-odd"), b"caf\xe9")
    t.equal("server", reply.all(b"server"), [b"shop"])
    names = {name for name, _ in reply.fields}
    t.check(names == {name.lower() for name in names}, "upper case", names)
    t.check(not names & {b"connection", b"keep-alive", b"upgrade", b"proxy-connection", b"transfer-encoding", b"x-hop"}, "fields of the connection", names)


@case("h2", "request-fields")
def request_fields(t):
    h2 = t.h2()
    good(t, h2.get(b"/x", fields=[(b"user-agent", b"x"), (b"x-same", b"1"), (b"x-other", b""), (b"x-same", b"2"), (b"x-latin", b"caf\xe9")]))
    request = t.one_request()
    t.equal("x-same", request.all(b"x-same"), [b"1", b"2"])
    t.equal("x-latin", request.get(b"x-latin"), b"caf\xe9")
    t.equal("x-other", request.get(b"x-other"), b"")
    t.check(not [name for name, _ in request.fields if name.startswith(b":")], "a pseudo-field", request.head)


@case("h2", "cookie-crumbs-become-one")
def crumbs(t):
    """RFC 9113 §8.2.3."""
    good(t, t.h2().get(b"/x", fields=[(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]))
    t.equal("Cookie at the shop", t.one_request().all(b"cookie"), [b"a=1; b=2; c=3"])


@case("h2", "te-trailers-is-allowed")
def te_trailers(t):
    good(t, t.h2().get(b"/x", fields=[(b"te", b"trailers")]))


for name, target in (("odd", b'/a//b/../c%2f?x="<>'), ("query-only", b"/?"), ("brackets", b"/a?x[]={1}|2"), ("4-kib", b"/" + b"a" * 4000)):
    def run(t, target=target):
        good(t, t.h2().get(target))
        t.equal("the target", t.one_request().target, target)
    add("h2", "target-" + name, run)


@case("h2", "methods")
def methods(t):
    h2 = t.h2()
    for method in (b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"PROPFIND", b"M-SEARCH"):
        good(t, h2.get(b"/x", method=method), method + b" /x\n")


@case("h2", "authority-with-port")
def authority_port(t):
    good(t, t.h2().get(b"/x", authority=b"shop.test:8443"))
    t.equal("Host", t.one_request().all(b"host"), [b"shop.test:8443"])


@case("h2", "host-in-place-of-authority")
def host_only(t):
    """RFC 9113 §8.3.1: converted from HTTP/1.1 by somebody before us."""
    h2 = t.h2()
    good(t, h2.reply(h2.request([(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/x"), (b"host", b"shop.test")])))
    t.equal("Host", t.one_request().all(b"host"), [b"shop.test"])


@case("h2", "host-equal-to-authority")
def host_equal(t):
    good(t, t.h2().get(b"/x", fields=[(b"host", b"shop.test")]))
    t.equal("Host", t.one_request().all(b"host"), [b"shop.test"])


@case("h2", "trailers-of-a-request")
def request_trailers(t):
    t.answers_with(lambda request: ok(b"x"))
    h2 = t.h2()
    stream = h2.request(end=False, whole=h2.head(b"POST", fields=[(b"te", b"trailers"), (b"trailer", b"x-sum")]))
    h2.data(stream, b"hello", end=False)
    h2.request([(b"x-sum", b"abc")], stream=stream)
    good(t, h2.reply(stream), b"x")
    request = t.one_request()
    t.equal("body", request.body, b"hello")
    t.equal("trailers", [(name.lower(), value) for name, value in request.trailers], [(b"x-sum", b"abc")])


@case("h2", "trailers-of-an-answer")
def answer_trailers(t):
    t.answers_with(lambda request: b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"hello", trailers=b"X-Sum: abc\r\n"))
    reply = t.h2().get(b"/x", fields=[(b"te", b"trailers")])
    good(t, reply, b"hello")
    t.equal("trailers", reply.trailers, [(b"x-sum", b"abc")])


@case("h2", "103-is-relayed")
def hints(t):
    t.answers_with(lambda request: b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + ok(b"hello"))
    reply = t.h2().get(b"/x")
    good(t, reply, b"hello")
    t.check(len(reply.interim) == 1 and {(b":status", b"103"), (b"link", b"</a>; rel=preload")} <= set(reply.interim[0]), "the 103", reply.interim)


@case("h2", "expect-100-continue")
def expect(t):
    def script(connection):
        request = connection.request(body=False)
        if request.get(b"expect"):
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.read_body(connection.reader)
        connection.send(ok(request.body))

    t.script(script)
    h2 = t.h2()
    stream = h2.request(end=False, whole=h2.head(b"POST", fields=[(b"expect", b"100-continue"), (b"content-length", b"5")]))
    reply = h2.replies[stream]
    t.check(h2.until(lambda: reply.interim, 4), "expected the shop's 100", reply)
    h2.data(stream, b"hello")
    good(t, h2.reply(stream), b"hello")


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
        t.check(h2.until(lambda: h2.replies[stream].body.endswith(word.upper()), 4), "the echo of %r" % word, h2.replies[stream])
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


tolerated("unknown-frame", lambda h2: h2.frame(0xfe, 0xff, 0, b"whatever"))
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
tolerated("reserved-bit", lambda h2: h2.raw(struct.pack(">I", 8)[1:] + bytes((PING, 0)) + struct.pack(">I", 1 << 31) + b"12345678"))


@case("h2", "padding-and-priority-in-headers")
def padded(t):
    h2 = t.h2()
    stream = h2.stream()
    block = h2.encoder.encode(h2.head(b"POST", b"/x"))
    h2.frame(HEADERS, END_HEADERS | PADDED | PRIORITIZED, stream, b"\x05" + struct.pack(">IB", 0, 200) + block + b"\0" * 5)
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
        h2.frame(CONTINUATION, END_HEADERS if at + 500 >= len(block) else 0, stream, block[at:at + 500])
    good(t, h2.reply(stream), b"GET /x\n")
    t.equal("x-long", len(t.one_request().get(b"x-long")), 3000)


@case("h2", "one-byte-at-a-time")
def bytewise(t):
    h2 = t.h2(start=False)
    stream = h2.stream()
    data = PREFACE + pack(SETTINGS, 0, 0) + pack(HEADERS, END_HEADERS | END_STREAM, stream, h2.encoder.encode(h2.head(path=b"/x")))
    for byte in data:
        h2.raw(bytes((byte,)))
    good(t, h2.reply(stream), b"GET /x\n")


@case("h2", "200-requests-on-one-connection")
def many(t):
    h2 = t.h2()
    for at in range(200):
        good(t, h2.get(b"/%d" % at, fields=[(b"x-at", b"%d" % at)]), b"GET /%d\n" % at)


# -- faults of the shop

for name, data in (("length", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
                   ("chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello")):
    def run(t, data=data):
        """Never END_STREAM: the client must see that something is missing, and the other streams go on."""
        def script(connection):
            while request := connection.request():
                if request.target == b"/cut":
                    connection.send(data)
                    time.sleep(0.1)
                    return
                connection.send(echo(request))

        t.script(script)
        h2 = t.h2()
        reply = h2.get(b"/cut")
        t.check(not reply.ended or reply.status >= 500, "expected a reset", reply, bytes(reply.body))
        t.check(reply.reset is not None or reply.status >= 500 or h2.reader.end, "the stream stays open", reply)
        good(t, h2.get(b"/next"), b"GET /next\n")
    add("h2", "cut-" + name, run)


@case("h2", "shop-never-answers")
def never(t):
    t.script(lambda connection: connection.request() and connection.hold(10))
    h2 = t.h2()
    reply = h2.get(b"/x")
    t.check(reply.status in (502, 504) or reply.reset is not None, "expected 504", reply)


@case("h2", "shop-ends-without-an-answer")
def nothing(t):
    t.script(lambda connection: connection.request(patience=2))
    reply = t.h2().get(b"/x", method=b"POST")
    # 7 is REFUSED_STREAM: it would tell the client that it may safely ask again.
    t.check(reply.status in (502, 503) or reply.reset not in (None, 7), "expected 502", reply)


@case("h2", "early-answer")
def early(t):
    """The shop refuses an upload that is still coming: its answer arrives whole, then the rest is not wanted."""
    def script(connection):
        request = connection.request(body=False)
        if request.target == b"/early":
            connection.reader.exactly(10)
            connection.send(ok(b"too large", b"Connection: close\r\n", b"413 Content Too Large"))
            connection.finish()
            connection.ended(3)
        else:
            connection.send(echo(request))

    t.script(script)
    h2 = t.h2()
    stream = h2.request(end=False, whole=h2.head(b"POST", b"/early", [(b"content-length", b"100000")]))
    h2.data(stream, b"x" * 1000, end=False)
    reply = h2.replies[stream]
    h2.until(lambda: reply.ended or reply.reset is not None)
    t.check(reply.status == 413 and bytes(reply.body) == b"too large", "expected the shop's 413", reply)
    good(t, h2.get(b"/next"), b"GET /next\n")


# -- cancelling

@case("h2", "reset-cancels-at-the-shop")
def reset_cancels(t):
    def script(connection):
        request = connection.request()
        if request.target == b"/x":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
            connection.ended(8)
        else:
            connection.send(echo(request))

    t.script(script)
    h2 = t.h2()
    stream = h2.request(path=b"/x")
    h2.until(lambda: h2.replies[stream].body)
    h2.frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
    t.check(wait_for(lambda: t.upstream.connections[0].reader.end, 3), "expected the end of the shop's connection")
    good(t, h2.get(b"/next"), b"GET /next\n")


@case("h2", "end-of-the-connection-cancels-all")
def end_cancels(t):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        connection.ended(8)

    t.script(script)
    h2 = t.h2()
    streams = [h2.request(path=b"/%d" % at) for at in range(5)]
    h2.until(lambda: all(h2.replies[stream].body for stream in streams))
    h2.close()
    t.check(wait_for(lambda: len(t.upstream.connections) == 5 and all(one.reader.end for one in t.upstream.connections), 4),
            "expected the end of all connections to the shop", [one.reader.end for one in t.upstream.connections])


@case("h2", "goaway-of-the-client-lets-streams-finish")
def client_goaway(t):
    t.answers_with(lambda request: time.sleep(0.5) or echo(request))
    h2 = t.h2()
    stream = h2.request(path=b"/x")
    h2.frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0))
    good(t, h2.reply(stream), b"GET /x\n")


# -- extended CONNECT (RFC 8441)

def switching(request):
    """RFC 6455 §4.2.2: the answer to the request's key."""
    key = (request.get(b"sec-websocket-key") or b"") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
            % base64.b64encode(hashlib.sha1(key).digest()))


def connecting(t, inside, fields=()):
    def script(connection):
        request = connection.request()
        connection.send(switching(request))
        inside(connection)

    t.script(script)
    h2 = t.h2()
    h2.ready()
    if not h2.settings.get(CONNECT_PROTOCOL):
        t.check(False, "SETTINGS_ENABLE_CONNECT_PROTOCOL is not announced", h2.settings)
    stream = h2.request([(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":path", b"/socket"),
                         (b":authority", b"shop.test"), (b"sec-websocket-version", b"13"), *fields], end=False)
    return h2, stream


@case("h2", "extended-connect")
def extended(t):
    def inside(connection):
        while data := connection.reader.some():
            connection.send(data)

    h2, stream = connecting(t, inside)
    reply = h2.replies[stream]
    t.check(h2.until(lambda: reply.fields is not None) and reply.status == 200, "expected 200", reply)
    request = t.upstream.requests[0]
    t.equal("the request line", request.start, b"GET /socket HTTP/1.1")
    t.equal("Upgrade", request.get(b"upgrade"), b"websocket")
    t.check(request.get(b"sec-websocket-key"), "Sec-WebSocket-Key, which HTTP/1.1 needs", request.head)
    t.check(not request.all(b"content-length") and not request.coded, "framing in an upgrade", request.head)
    h2.data(stream, b"hello", end=False)
    t.check(h2.until(lambda: bytes(reply.body) == b"hello", 5), "the echo", reply)
    t.check(not reply.get(b"connection") and not reply.get(b"upgrade"), "fields of the connection", reply.fields)


@case("h2", "extended-connect-ends-of-the-client")
def extended_client_end(t):
    ended = threading.Event()

    def inside(connection):
        if connection.ended(8):
            ended.set()
            connection.send(b"still here")

    h2, stream = connecting(t, inside)
    h2.until(lambda: h2.replies[stream].fields is not None)
    h2.data(stream, b"")
    t.check(ended.wait(5), "END_STREAM reaches the shop as the end")
    reply = h2.reply(stream)
    t.check(bytes(reply.body) == b"still here" and reply.ended, "after the client's end", reply)


@case("h2", "extended-connect-refused")
def extended_refused(t):
    t.answers_with(lambda request: ok(b"no", b"", b"403 Forbidden"))
    h2 = t.h2()
    h2.ready()
    if not h2.settings.get(CONNECT_PROTOCOL):
        t.check(False, "SETTINGS_ENABLE_CONNECT_PROTOCOL is not announced", h2.settings)
    stream = h2.request([(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":scheme", b"https"), (b":path", b"/socket"),
                         (b":authority", b"shop.test")], end=False)
    reply = h2.replies[stream]
    h2.until(lambda: reply.fields is not None)
    t.equal("status", reply.status, 403)


@case("h2", "websocket-over-tls-http-1.1")
def wss(t):
    def script(connection):
        connection.send(switching(connection.request()))
        connection.send(connection.reader.exactly(5))

    t.script(script)
    client = t.tls()
    answer = client.ask(b"GET /s HTTP/1.1\r\nHost: shop.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    t.equal("status", answer.status, 101)
    client.send(b"hello")
    t.equal("the echo", client.reader.exactly(5), b"hello")
