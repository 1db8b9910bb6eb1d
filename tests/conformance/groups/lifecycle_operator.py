"""What the operator sees and says: admin pages, trust, limits, redirects, several shops."""

import select
import ssl

from groups.lifecycle_end import ASK, OURS
from harness.cases import case, pause
from harness.client import tls_context
from harness.upstream import Upstream

# -- what the operator sees


@case("lifecycle", "admin-health", only=OURS)
def health(t):
    answer = t.client(t.proxy.admin).get("/healthz", host="localhost")
    t.equal("status", answer.status, 200)
    t.check(b"ok" in answer.body, "the word", answer.body)


@case("lifecycle", "admin-metrics", only=OURS)
def metrics(t):
    t.probe(2)
    answer = t.client(t.proxy.admin).get("/metrics", host="localhost")
    t.equal("status", answer.status, 200)
    lines = [line for line in answer.body.decode().splitlines() if line and not line.startswith("#")]
    t.check(
        len(lines) > 5 and all(len(line.rsplit(" ", 1)) == 2 for line in lines),
        "lines of a name and a number",
        lines[:5],
    )
    t.check(any(float(line.rsplit(" ", 1)[1]) > 0 for line in lines), "nothing was counted", lines)


@case("lifecycle", "admin-unknown-and-other-methods", only=OURS)
def admin_other(t):
    for method, path, status in (("GET", "/nothing", 404), ("POST", "/healthz", 405)):
        answer = t.client(t.proxy.admin).get(path, b"Content-Length: 0\r\n", method=method, host="localhost")
        t.equal("%s %s" % (method, path), answer.status, status)


@case("lifecycle", "admin-is-not-on-the-public-port")
def admin_public(t):
    for path in ("/healthz", "/metrics"):
        t.equal("the shop answers %s" % path, t.client().get(path).body, b"GET %s\n" % path.encode())


@case("lifecycle", "unknown-host-is-421", only=OURS)
def unknown_host(t):
    answer = t.client().get("/x", host="nobody.test")
    t.equal("status", answer.status, 421)
    t.equal("what the shop got", t.upstream.received, b"")


@case("lifecycle", "trusted-proxy-is-believed", only=OURS)
def trusted(t):
    proxy = t.start_proxy(extra="\ntrusted_proxies: [127.0.0.1]\n")
    answer = t.client(proxy.plain).get(
        "/x", b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.test\r\n"
    )
    t.equal("status", answer.status, 200)
    request = t.one_request()
    t.equal("X-Forwarded-For", request.get(b"x-forwarded-for"), b"203.0.113.9, 127.0.0.1")
    t.equal("X-Forwarded-Proto", request.get(b"x-forwarded-proto"), b"https")
    t.equal("X-Forwarded-Host", request.get(b"x-forwarded-host"), b"www.test")


@case("lifecycle", "stranger-is-not-believed", only=OURS)
def stranger(t):
    t.client().get(
        "/x",
        b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.test\r\nX-Forwarded-Port: 1\r\n"
        b"Forwarded: for=203.0.113.9\r\nX_Forwarded_For: 203.0.113.9\r\n",
    )
    request = t.one_request()
    t.equal("X-Forwarded-For", request.all(b"x-forwarded-for"), [b"127.0.0.1"])
    t.equal("X-Forwarded-Proto", request.all(b"x-forwarded-proto"), [b"http"])
    t.check(
        b"203.0.113.9" not in request.head and b"www.test" not in request.head,
        "a stranger's word reached the shop",
        request.head,
    )


@case("lifecycle", "connection-limit-makes-others-wait", only=OURS)
def limit(t):
    """About `limits.connections` are served at once and no more; the others wait, and are served when those have gone.

    A listener may hold one place ready for whoever comes next.
    """
    proxy = t.start_proxy(extra="\nlimits: { connections: 64 }\n")
    clients = [t.client(proxy.plain) for _ in range(90)]
    for client in clients:
        client.send(ASK)
    pause(1.0)
    served = [client for client in clients if select.select([client.sock], [], [], 0)[0]]
    t.check(56 <= len(served) <= 64, "served at once", len(served))
    for client in served:
        t.equal("status", client.answer().status, 200)
        client.close()
    for client in clients:
        if client not in served:
            t.equal("status of one that waited", client.answer().status, 200)


@case("lifecycle", "redirect-to-https", only=OURS)
def redirect(t):
    t.need("tls")
    text = t.proxy.text.replace("  - 127.0.0.1:@PLAIN@", '  - { address: "127.0.0.1:@PLAIN@", redirect: true }')
    proxy = t.start_proxy(config=text)
    answer = t.client(proxy.plain).get("/a?b=c")
    t.equal("status", answer.status, 308)
    t.check(
        (answer.get(b"location") or b"").startswith(b"https://shop.test")
        and answer.get(b"location").endswith(b"/a?b=c"),
        "Location",
        answer.head,
    )
    t.equal("what the shop got", t.upstream.received, b"")


@case("lifecycle", "tls-minimum-1.3", only=OURS)
def tls_minimum(t):
    t.need("tls")
    proxy = t.start_proxy(config=t.proxy.text.replace("tls:\n  cert", 'tls:\n  minimum: "1.3"\n  cert'))
    context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)
    try:
        t.client(proxy.tls, tls=(context, "shop.test"))
    except (ssl.SSLError, OSError):
        return
    t.check(False, "TLS 1.2 was spoken")


def two_shops(t, more="", script=None):
    """The other of them plays `script`, if there is one, from its first connection."""
    other = Upstream()
    other.script = script or other.script
    text = t.proxy.text.replace(
        "upstream: http://127.0.0.1:@UPSTREAM@",
        "upstream: [\"http://127.0.0.1:@UPSTREAM@\", \"http://127.0.0.1:%d\"]%s" % (other.port, more),
    )
    return other, t.start_proxy(config=text)


@case("lifecycle", "two-shops-share", only=OURS)
def balance(t):
    other, proxy = two_shops(t)
    try:
        for _at in range(20):
            t.equal("status", t.client(proxy.plain).get("/x").status, 200)
        counts = len(t.upstream.requests), len(other.requests)
        t.check(min(counts) >= 5, "requests at each", counts)
    finally:
        other.close()


@case("lifecycle", "two-shops-one-dead", only=OURS)
def one_dead(t):
    """Connecting to one fails: the request was not sent, so the other gets it."""
    other, proxy = two_shops(t)
    other.close()
    for at in range(10):
        answer = t.client(proxy.plain).get("/x", b"Content-Length: 0\r\n", method="POST" if at % 2 else "GET")
        t.equal("status", answer.status, 200)
