"""TLS that never begins, stops, is none, or is cut."""

import socket
import ssl

from groups.faults import GET, POST, ends
from harness.cases import case, pause
from harness.client import wait_for

# -- TLS


@case("faults", "tls-handshake-never-begins")
def tls_silent(t):
    t.need("tls")
    ends(t, t.client(t.proxy.tls), 15, "a TLS connection without a byte")


@case("faults", "tls-handshake-stops")
def tls_stops(t):
    t.need("tls")
    client = t.client(t.proxy.tls)
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 40)
    ends(t, client, 15, "half a ClientHello")


@case("faults", "tls-garbage")
def tls_garbage(t):
    t.need("tls")
    client = t.client(t.proxy.tls)
    client.send(bytes(range(256)) * 4)
    ends(t, client, 8, "garbage in place of a ClientHello")
    t.equal("status", t.tls().get("/x").status, 200)


@case("faults", "tls-100-half-handshakes")
def tls_many(t):
    t.need("tls")
    clients = [t.client(t.proxy.tls) for _ in range(100)]
    for client in clients:
        client.send(b"\x16\x03\x01\x02\x00\x01\x00")
    t.equal("status", t.tls().get("/x").status, 200)


@case("faults", "tls-end-without-close-notify")
def tls_truncated(t):
    """A client that cuts TLS off in a body: the shop never takes it for a whole one."""
    client = t.tls()
    client.send(POST + b"Content-Length: 10\r\n\r\nhello")
    pause(0.1)
    raw = socket.socket(fileno=client.sock.detach())
    raw.close()
    t.check(
        wait_for(lambda: not t.upstream.requests or all(one.reader.end for one in t.upstream.connections), 5),
        "the shop's connection stays",
    )
    t.check(
        all(not request.complete for request in t.upstream.requests),
        "a cut body must not look whole",
        t.upstream.requests,
    )


@case("faults", "tls-answer-ends-with-close-notify")
def close_notify(t):
    """A close-delimited answer over TLS is only whole when TLS says so (RFC 9112 §9.8)."""
    client = t.tls()
    client.sock.suppress_ragged_eofs = False
    client.send(GET + b"Connection: close\r\n\r\n")
    client.reader.until(b"\r\n\r\n")
    client.sock.settimeout(5)
    try:
        while client.sock.recv(4096):
            pass
    except ssl.SSLEOFError:
        t.check(False, "TLS was cut off without close_notify")
    except ConnectionResetError:
        pass


@case("faults", "tls-one-byte-a-record")
def tls_records(t):
    """One byte a record."""
    client = t.tls()
    for byte in GET + b"\r\n":
        client.send(bytes((byte,)))
    t.equal("body", client.answer().body, b"GET /x\n")
