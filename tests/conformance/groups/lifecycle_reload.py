"""Reloading: the new configuration holds for what comes, and nothing under way is cut."""

import threading

from groups.lifecycle_end import slowly
from harness.cases import case, pause
from harness.client import tls_context, wait_for
from harness.upstream import Upstream, ok, serving
from harness.wire import Short, Slow

# -- reloading


def reloaded(t):
    """(proxy, the other shop): before the reload requests go to the case's own, after it to the other."""
    other = Upstream()
    other.script = serving(lambda request: ok(b"other"))
    proxy = t.start_proxy()
    t.equal("before", t.client(proxy.plain).get("/x").body, b"GET /x\n")
    return proxy, other


def to(proxy, upstream):
    """The configuration with another shop."""
    return proxy.text.replace("127.0.0.1:@UPSTREAM@", "127.0.0.1:%d" % upstream.port)


def came(t, proxy, body=b"other"):
    def now():
        try:
            return t.client(proxy.plain, patience=3).get("/x").body == body
        except (Short, Slow, OSError):
            return False

    return wait_for(now, 8, 0.1)


@case("lifecycle", "reload-takes-a-new-shop")
def reload_new(t):
    proxy, other = reloaded(t)
    try:
        proxy.reload(to(proxy, other))
        t.check(came(t, proxy), "after the reload requests still go to the old shop")
        t.check(proxy.alive(), "it has ended")
    finally:
        other.close()


@case("lifecycle", "reload-cuts-nothing-under-way")
def reload_way(t):
    t.answers_with(slowly(2.0))
    proxy, other = reloaded(t)
    try:
        client = t.client(proxy.plain, patience=10)
        client.send(b"GET /slow HTTP/1.1\r\nHost: shop.test\r\n\r\n")
        t.check(wait_for(lambda: any(one.target == b"/slow" for one in t.upstream.requests)), "the request at the shop")
        proxy.reload(to(proxy, other))
        t.check(came(t, proxy), "after the reload requests still go to the old shop")
        answer = client.answer()
        t.check(answer.clean and answer.body == b"GET /slow\n", "expected the old shop's answer", answer)
    finally:
        other.close()


@case("lifecycle", "reload-refuses-a-bad-configuration")
def reload_bad(t):
    """The old one goes on."""
    proxy = t.start_proxy()
    t.equal("body", t.client(proxy.plain).get("/x").body, b"GET /x\n")
    pause(0.3)
    proxy.reload("nonsense: [\n")
    pause(1.0)
    t.check(proxy.alive(), "it has ended", proxy.log()[-300:])
    t.equal("body", t.client(proxy.plain).get("/x").body, b"GET /x\n")


@case("lifecycle", "reload-the-moment-it-listens", only=("refgate",))
def reload_early(t):
    """Whoever sees it listen may tell it to reload: a signal that nobody awaits yet would end it."""
    for _time in range(3):
        proxy = t.start_proxy()
        proxy.reload()
        pause(0.3)
        t.check(proxy.alive(), "it has ended", proxy.log()[-300:])
        t.equal("body", t.client(proxy.plain).get("/x").body, b"GET /x\n")


@case("lifecycle", "reload-under-load-fails-nobody")
def reload_load(t):
    proxy = t.start_proxy()
    trouble, done, count = [], threading.Event(), [0]

    def work(keep):
        client, used = None, False
        while not done.is_set():
            try:
                used = client is not None
                client = client or t.client(proxy.plain, patience=8)
                answer = client.get("/x")
                if answer.status != 200 or not answer.clean:
                    trouble.append(repr(answer))
                count[0] += 1
                closing = b"close" in (answer.get(b"connection") or b"").lower()
            except Short as short:
                # A kept-alive connection may end between two requests; a new one may not.
                if not used:
                    trouble.append("Short: %s" % short.args[0])
                closing = True
            except (Slow, OSError) as error:
                trouble.append("%s: %s" % (type(error).__name__, error))
                closing = True
            if closing or not keep:
                client.close() if client else None
                client = None

    threads = [threading.Thread(target=work, args=(at % 2 == 0,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for _time in range(4):
        pause(0.5)
        proxy.reload()
    pause(0.5)
    done.set()
    for thread in threads:
        thread.join()
    t.check(proxy.alive(), "it has ended")
    t.check(not trouble, "of %d requests %d failed" % (count[0], len(trouble)), trouble[:3])


@case("lifecycle", "reload-ten-times")
def reload_many(t):
    proxy = t.start_proxy()
    t.equal("body", t.client(proxy.plain).get("/x").body, b"GET /x\n")
    pause(0.3)
    before = proxy.memory()
    for _time in range(10):
        proxy.reload()
        pause(0.1)
    pause(0.5)
    t.check(proxy.alive(), "it has ended")
    t.equal("body", t.client(proxy.plain).get("/x").body, b"GET /x\n")
    if t.slot.kind == "refgate":
        t.check(proxy.memory() - before < 64 << 20, "it grew by %d MiB" % ((proxy.memory() - before) >> 20))


@case("lifecycle", "reload-takes-a-new-certificate")
def reload_certificate(t):
    t.need("tls")
    proxy = t.start_proxy()
    context = tls_context()

    def names():
        data = t.client(proxy.tls, tls=(context, "shop.test")).sock.getpeercert(binary_form=True)
        return b"other.test" in data

    t.check(not names(), "the first certificate")
    if t.slot.kind == "haproxy":
        text = proxy.text.replace(
            "crt @CERTIFICATES@/shop.pem crt @CERTIFICATES@/other.pem", "crt @CERTIFICATES@/other.pem"
        )
    else:
        text = proxy.text.replace("@CERTIFICATES@/shop.", "@CERTIFICATES@/other.")
    proxy.reload(text)
    t.check(wait_for(names, 6, 0.1), "the new certificate after the reload")
