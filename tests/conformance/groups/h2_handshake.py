"""HTTP/2 begins: ALPN, versions of TLS, SNI, and what is said on the wrong port."""

import socket
import ssl

from harness.cases import add, case
from harness.client import tls_context
from harness.h2 import H2
from harness.upstream import echo


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


for name, host, wanted in (
    ("first", "shop.test", b"shop.test"),
    ("second", "other.test", b"other.test"),
    ("wildcard", "a.wild.test", b"other.test"),
    ("upper-case", "OTHER.test", b"other.test"),
    ("none", None, b"shop.test"),
):
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
