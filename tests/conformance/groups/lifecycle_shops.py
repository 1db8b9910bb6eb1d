"""Shops behind TLS, sick ones, and none at all."""

import os
import socket
import ssl

from groups.lifecycle_end import OURS
from groups.lifecycle_operator import two_shops
from harness.cases import add, case, pause
from harness.client import wait_for
from harness.proxies import free_ports
from harness.upstream import Upstream, ok, serving
from harness.wire import Short

# -- a shop behind TLS


def secure(t, options, certificate="other"):
    """A shop with the certificate for other.test, and a proxy that asks it by `options`."""
    folder = os.path.join(os.path.dirname(t.proxy.folder), "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, certificate + ".crt"), os.path.join(folder, certificate + ".key"))
    shop = Upstream(tls=context)
    text = t.proxy.text.replace(
        "upstream: http://127.0.0.1:@UPSTREAM@",
        "upstream: https://127.0.0.1:%d\n    upstream_tls: %s" % (shop.port, options),
    )
    return shop, text


CA = 'ca: "@CERTIFICATES@/authority.crt"'
for name, options, served in (
    ("trusted", "{ %s, server_name: other.test }" % CA, True),
    ("insecure", "{ insecure: true }", True),
    ("name-of-another", "{ %s, server_name: shop.test }" % CA, False),
    ("not-trusted", '{ ca: "@CERTIFICATES@/stranger.crt", server_name: other.test }', False),
):

    def run(t, options=options, served=served):
        shop, text = secure(t, options)
        try:
            proxy = t.start_proxy(config=text)
            answer = t.client(proxy.plain).get("/x")
            if served:
                t.check(answer.status == 200 and answer.body == b"GET /x\n", "expected the shop's answer", answer)
            else:
                t.check(
                    answer.status in (502, 503) and not shop.requests,
                    "expected 502, and no request at a shop that is another",
                    answer,
                    shop.requests,
                )
        finally:
            shop.close()

    add("lifecycle", "shop-over-tls-" + name, run, only=OURS)


@case("lifecycle", "shop-over-tls-cut-is-visible", only=OURS)
def secure_cut(t):
    """A close-delimited answer without close_notify may have been cut by anybody (RFC 9112 §9.8)."""
    shop, text = secure(t, "{ insecure: true }")

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        socket.socket(fileno=connection.sock.detach()).close()

    shop.script = script
    try:
        proxy = t.start_proxy(config=text)
        try:
            answer = t.client(proxy.plain).get("/x")
            t.check(not answer.clean or answer.status >= 500, "expected a visible cut", answer)
        except Short:
            pass
    finally:
        shop.close()


@case("lifecycle", "health-takes-a-sick-shop-out", only=OURS)
def health_check(t):
    """One of two answers its check with 500: after a while it gets no more requests."""
    other, proxy = two_shops(
        t, "\n    health: { path: /healthz, every: 1s, timeout: 1s, status: 200, falls: 1, rises: 1 }",
        serving(lambda request: ok(b"sick", b"", b"500 Sick")),
    )
    try:
        t.check(wait_for(lambda: any(one.target == b"/healthz" for one in other.requests), 5), "no check came")
        pause(0.5)
        for _at in range(10):
            t.equal("status", t.client(proxy.plain).get("/x").status, 200)
    finally:
        other.close()


@case("lifecycle", "unavailable-page", only=OURS)
def unavailable(t):
    """No shop is left: 503 with the operator's page."""
    port, page = free_ports(1)[0], os.path.join(t.proxy.folder, "sorry.html")
    with open(page, "w", encoding="utf-8") as file:
        file.write("<h1>Back soon</h1>")
    text = t.proxy.text.replace(
        "upstream: http://127.0.0.1:@UPSTREAM@",
        "upstream: http://127.0.0.1:%d\n    unavailable: \"%s\"\n"
        "    health: { path: /healthz, every: 1s, timeout: 1s, status: 200, falls: 1, rises: 1 }" % (port, page),
    )
    proxy = t.start_proxy(config=text)

    def came():
        answer = t.client(proxy.plain).get("/x")
        return answer.status == 503 and b"Back soon" in answer.body

    t.check(wait_for(came, 6, 0.2), "expected 503 and the page", t.client(proxy.plain).get("/x"))
