"""The PROXY protocol, and what only looks like it."""

import socket
import struct

from groups.faults import GET, ends
from harness.cases import add, case, pause
from harness.wire import Short

# -- the PROXY protocol

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def proxied(t, header):
    t.need("proxy_protocol")
    client = t.client(t.proxy.pp)
    client.send(header + GET + b"\r\n")
    return client


for name, header, wanted in (
    ("v1", b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 80\r\n", b"203.0.113.9"),
    ("v1-ipv6", b"PROXY TCP6 2001:db8::9 2001:db8::1 1234 80\r\n", b"2001:db8::9"),
    ("v1-unknown", b"PROXY UNKNOWN\r\n", b"127.0.0.1"),
    ("v1-unknown-with-more", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", b"127.0.0.1"),
    (
        "v2",
        V2 + b"\x21\x11\0\x0c" + bytes((203, 0, 113, 9, 192, 0, 2, 1)) + struct.pack(">HH", 1234, 80),
        b"203.0.113.9",
    ),
    (
        "v2-ipv6",
        V2
        + b"\x21\x21\0\x24"
        + socket.inet_pton(socket.AF_INET6, "2001:db8::9")
        + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
        + struct.pack(">HH", 1234, 80),
        b"2001:db8::9",
    ),
    (
        "v2-with-tlv",
        V2
        + b"\x21\x11\0\x13"
        + bytes((203, 0, 113, 9, 192, 0, 2, 1))
        + struct.pack(">HH", 1234, 80)
        + b"\x04\0\x04abcd",
        b"203.0.113.9",
    ),
    ("v2-local", V2 + b"\x20\0\0\0", b"127.0.0.1"),
):

    def run(t, header=header, wanted=wanted):
        client = proxied(t, header)
        answer = client.answer()
        t.equal("status", answer.status, 200)
        t.equal("X-Forwarded-For", t.one_request().get(b"x-forwarded-for"), wanted)

    add("faults", "proxy-protocol-" + name, run, only=("refgate", "nginx", "haproxy"))

for name, header in (
    ("absent", b""),
    ("garbage", b"PROXY TCP4 a b c d\r\n"),
    ("v1-too-long", b"PROXY TCP4 " + b"1" * 200 + b"\r\n"),
    ("v1-bad-port", b"PROXY TCP4 203.0.113.9 192.0.2.1 99999 80\r\n"),
    ("v2-bad-version", V2 + b"\x31\x11\0\x0c" + b"x" * 12),
    ("v2-short-address", V2 + b"\x21\x11\0\x04abcd"),
):

    def run(t, header=header):
        """Whoever does not speak it is not served: its address would be anybody's."""
        client = proxied(t, header)
        t.check(client.ended(6), "expected the end")
        t.check(not t.upstream.requests, "it reached the shop", t.upstream.requests)

    add("faults", "proxy-protocol-" + name, run, only=("refgate", "nginx", "haproxy"))


@case("faults", "proxy-protocol-in-pieces", only=("refgate", "nginx", "haproxy"))
def pp_pieces(t):
    """Its sender has to send it at once, so it may be refused in pieces; but it is never half-believed."""
    t.need("proxy_protocol")
    client = t.client(t.proxy.pp)
    for byte in b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 80\r\n":
        client.send(bytes((byte,)))
        pause(0.002)
    try:
        answer = client.get("/x")
    except Short:
        t.check(not t.upstream.requests, "it reached the shop", t.upstream.requests)
        return
    t.equal("status", answer.status, 200)
    t.equal("X-Forwarded-For", t.one_request().get(b"x-forwarded-for"), b"203.0.113.9")


@case("faults", "proxy-protocol-never-comes", only=("refgate", "nginx", "haproxy"))
def pp_silent(t):
    t.need("proxy_protocol")
    ends(t, t.client(t.proxy.pp), 15, "a connection that owes its PROXY line")


@case("faults", "proxy-protocol-on-a-listener-without")
def pp_unasked(t):
    """A line that nobody asked for is a bad request, and changes no address."""
    client = t.client()
    client.send(b"PROXY TCP4 203.0.113.9 192.0.2.1 1234 80\r\n" + GET + b"\r\n")
    answers, _end = client.answers()
    t.check(all(answer.status == 400 for answer in answers), "expected 400", answers)
    t.check(
        all(b"203.0.113.9" not in request.head for request in t.upstream.requests),
        "the address was believed",
        t.upstream.requests,
    )
