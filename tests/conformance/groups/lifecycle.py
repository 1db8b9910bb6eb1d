"""Beginning, reloading, ending: of a process, of its configuration, of its connections; and what the operator sees."""
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

from harness.cases import Skipped, add, case, pause
from harness.client import tls_context, wait_for
from harness.h2 import H2
from harness.proxies import free_ports
from harness.upstream import Upstream, echo, ok, serving
from harness.wire import Short, Slow

ASK = b"GET /x HTTP/1.1\r\nHost: shop.test\r\n\r\n"
OURS = ("refgate",)


def slowly(seconds):
    def respond(request):
        if request.target.startswith(b"/slow"):
            time.sleep(seconds)
        return echo(request)
    return respond


def under_way(t, proxy, count=1, target=b"/slow"):
    """Clients whose requests have reached the shop."""
    clients = [t.client(proxy.plain, patience=15) for _ in range(count)]
    for client in clients:
        client.send(b"GET %s HTTP/1.1\r\nHost: shop.test\r\n\r\n" % target)
    t.check(wait_for(lambda: len(t.upstream.requests) >= count), "the requests at the shop", t.upstream.requests)
    return clients


# -- ending

@case("lifecycle", "drain-lets-requests-finish")
def drain(t):
    t.answers_with(slowly(1.5))
    proxy = t.start_proxy()
    clients = under_way(t, proxy, 3)
    proxy.drain()
    for client in clients:
        answer = client.answer()
        t.check(answer.clean and answer.body == b"GET /slow\n", "expected the whole answer", answer)
        t.check(client.ended(5), "the connection stays open after the last answer")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-lets-a-download-finish")
def drain_download(t):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
        for _at in range(20):
            time.sleep(0.1)
            connection.send(b"x")

    t.script(script)
    proxy = t.start_proxy()
    client = under_way(t, proxy)[0]
    client.reader.until(b"\r\n\r\n")
    proxy.drain()
    t.equal("the rest", client.reader.exactly(20, 8), b"x" * 20)
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-lets-an-upload-finish")
def drain_upload(t):
    proxy = t.start_proxy()
    client = t.client(proxy.plain)
    client.send(b"POST /up HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 10\r\n\r\n")
    t.check(wait_for(lambda: t.upstream.requests), "the request at the shop")
    proxy.drain()
    for _at in range(10):
        pause(0.1)
        client.send(b"x")
    t.equal("body", client.answer().body, b"POST /up\n" + b"x" * 10)
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-takes-nothing-new")
def drain_new(t):
    t.answers_with(slowly(2.0))
    proxy = t.start_proxy()
    clients = under_way(t, proxy)
    proxy.drain()

    def refused():
        try:
            client = t.client(proxy.plain, patience=1)
            client.send(ASK)
            return client.ended(0.5) and not client.reader.taken
        except OSError:
            return True
        except Slow:
            return False
    t.check(wait_for(refused, 1.6, 0.05), "a new connection is still served while it drains")
    t.equal("body", clients[0].answer().body, b"GET /slow\n")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-ends-idle-connections")
def drain_idle(t):
    proxy = t.start_proxy()
    clients = [t.client(proxy.plain) for _ in range(5)]
    for client in clients:
        t.equal("status", client.get("/x").status, 200)
    proxy.drain()
    for client in clients:
        t.check(client.ended(5), "an idle connection stays open")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "drain-ends-silent-connections")
def drain_silent(t):
    """Connections that never asked anything hold nobody up."""
    proxy = t.start_proxy()
    clients = [t.client(proxy.plain) for _ in range(5)]
    t.equal("status", t.client(proxy.plain).get("/x").status, 200)
    proxy.drain()
    t.check(proxy.wait(8) == 0, "expected exit status 0", proxy.process.poll())
    t.check(all(client.ended(2) for client in clients), "a silent connection stays open")


@case("lifecycle", "drain-has-an-end", only=OURS)
def drain_limit(t):
    """An answer without end is cut when `drain` (4 s here) is over."""
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while connection.send(b"1\r\nx\r\n"):
            time.sleep(0.1)

    t.script(script)
    proxy = t.start_proxy()
    client = under_way(t, proxy)[0]
    client.reader.until(b"\r\n\r\n")
    proxy.drain()
    t.check(proxy.wait(10) is not None, "it is still there 10 s after SIGTERM")
    t.check(b"\r\n0\r\n\r\n" not in client.reader.rest(3), "the cut answer has a clean end")


@case("lifecycle", "drain-and-a-tunnel", only=OURS)
def drain_tunnel(t):
    """A tunnel goes on while it drains, and does not keep it for ever."""
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        while data := connection.reader.some():
            connection.send(data)

    t.script(script)
    proxy = t.start_proxy()
    client = t.client(proxy.plain)
    t.equal("status", client.ask(b"GET / HTTP/1.1\r\nHost: shop.test\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n").status, 101)
    proxy.drain()
    pause(0.3)
    client.send(b"ping")
    t.equal("the echo", client.reader.exactly(4), b"ping")
    t.check(proxy.wait(10) is not None, "it is still there 10 s after SIGTERM")


@case("lifecycle", "drain-h2-says-goaway")
def drain_h2(t):
    t.need("tls")
    t.answers_with(slowly(1.0))
    proxy = t.start_proxy()
    h2 = H2(t.client(proxy.tls, tls=(tls_context(("h2",)), "shop.test")))
    stream = h2.request(path=b"/slow")
    t.check(wait_for(lambda: t.upstream.requests), "the request at the shop")
    proxy.drain()
    reply = h2.reply(stream)
    t.check(reply.clean and bytes(reply.body) == b"GET /slow\n", "expected the whole answer", reply)
    t.check(h2.gone(5) and h2.goaway in (0, None), "expected GOAWAY", h2.goaway)
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "sigint-ends-as-sigterm", only=OURS)
def sigint(t):
    t.answers_with(slowly(1.0))
    proxy = t.start_proxy()
    client = under_way(t, proxy)[0]
    proxy.signal(signal.SIGINT)
    t.equal("body", client.answer().body, b"GET /slow\n")
    t.equal("exit status", proxy.wait(8), 0)


@case("lifecycle", "second-sigterm-ends-at-once", only=OURS)
def second_signal(t):
    t.answers_with(slowly(3.0))
    proxy = t.start_proxy()
    under_way(t, proxy)
    proxy.drain()
    pause(0.3)
    t.check(proxy.alive(), "it has ended before the request")
    proxy.drain()
    t.check(proxy.wait(2) is not None, "it is still there")


# -- beginning

def command(t, *arguments, proxy=None, config=None):
    """Runs the binary to its end; (exit status, what it said)."""
    run = subprocess.run([t.slot.binary, *arguments, "--config", config or proxy.config], stdin=subprocess.DEVNULL, timeout=20,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=(proxy or t.proxy).folder)
    return run.returncode, run.stdout.decode("utf-8", "replace")


@case("lifecycle", "restart-at-once-on-the-same-port")
def restart(t):
    """Connections in TIME_WAIT are no reason not to start."""
    proxy = t.start_proxy()
    for _time in range(2):
        client = t.client(proxy.plain)
        t.equal("status", client.get("/x").status, 200)
        proxy.drain()
        t.check(proxy.wait(8) is not None, "it does not end")
        proxy.start()
    t.equal("status", t.client(proxy.plain).get("/x").status, 200)


@case("lifecycle", "kill-9-and-start-again")
def kill(t):
    proxy = t.start_proxy()
    t.equal("status", t.client(proxy.plain).get("/x").status, 200)
    children = proxy.pids()[1:]
    proxy.process.kill()
    proxy.process.wait()
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    wait_for(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in children), 3)
    proxy.start()
    t.equal("status", t.client(proxy.plain).get("/x").status, 200)


@case("lifecycle", "second-run-on-the-same-address-is-refused", only=OURS)
def second_run(t):
    proxy = t.start_proxy()
    other = t.start_proxy(plain=proxy.plain, start=False)
    status, text = command(t, "run", proxy=other)
    t.check(status not in (0, None), "expected a failure", status, text)
    t.equal("the first still serves", t.client(proxy.plain).get("/x").status, 200)


@case("lifecycle", "second-run-on-the-same-ledger-is-refused", only=OURS)
def second_ledger(t):
    proxy = t.start_proxy()
    other = t.start_proxy(start=False, config=proxy.text.replace("@FOLDER@", proxy.folder))
    status, text = command(t, "run", proxy=other)
    t.check(status not in (0, None), "expected a failure", status, text)
    t.equal("the first still serves", t.client(proxy.plain).get("/x").status, 200)


@case("lifecycle", "port-of-another-program-is-refused", only=OURS)
def taken(t):
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = t.start_proxy(plain=listener.getsockname()[1], start=False)
    status, text = command(t, "run", proxy=proxy)
    t.check(status not in (0, None) and str(proxy.plain) in text, "expected a failure that names the address", status, text)
    listener.close()


CONFIGS = [
    ("unknown-key", lambda text: text + "\nnonsense: 1\n"), ("no-yaml", lambda text: "{{{{"), ("empty", lambda text: ""),
    ("no-listen", lambda text: text.replace("listen:", "listens:", 1)), ("bad-duration", lambda text: text.replace("drain: 4s", "drain: 4 parsecs")),
    ("bad-upstream", lambda text: text.replace("upstream: http://", "upstream: gopher://")),
    ("missing-certificate", lambda text: text.replace("shop.crt", "nobody.crt")),
    ("key-of-another-certificate", lambda text: text.replace("shop.key", "other.key")),
]
for name, change in CONFIGS:
    def run(t, change=change):
        """Refused with a word, and nothing is listened on."""
        text = t.proxy.text
        if change(text) == text:
            t.need("tls")
        proxy = t.start_proxy(start=False, config=change(text))
        status, said = command(t, "run", proxy=proxy)
        t.equal("exit status", status, 64)
        t.check("proxy" in said or "yaml" in said or "fault" in said, "expected the fault's place", said)
    add("lifecycle", "config-refused-" + name, run, only=OURS)


@case("lifecycle", "config-check-passes", only=OURS)
def check_passes(t):
    status, said = command(t, "check", proxy=t.proxy)
    t.check(status == 0, "expected exit status 0", status, said)


@case("lifecycle", "config-file-missing", only=OURS)
def missing(t):
    status, said = command(t, "run", config=os.path.join(t.proxy.folder, "none.yaml"), proxy=t.proxy)
    t.check(status not in (0, None) and "none.yaml" in said, "expected a failure that names the file", status, said)


@case("lifecycle", "starts-while-the-shop-is-away")
def starts_alone(t):
    port = free_ports(1)[0]
    proxy = t.start_proxy(upstream=port)
    t.check(t.client(proxy.plain).get("/x").status in (502, 503), "expected 502")
    shop = Upstream(port)
    try:
        t.check(wait_for(lambda: t.client(proxy.plain).get("/x").status == 200, 4, 0.1), "expected 200 once the shop is there")
    finally:
        shop.close()


@case("lifecycle", "log-pipe-closed", only=OURS)
def log_pipe(t):
    """Whoever read its log is gone: it serves on."""
    proxy = t.start_proxy(start=False)
    reading, writing = os.pipe()
    proxy.process = subprocess.Popen(proxy.command() + ["--log", "debug"], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, cwd=proxy.folder)
    os.close(writing)
    t.check(wait_for(lambda: _listens(proxy.plain), 10), "it does not listen")
    os.close(reading)
    for _time in range(20):
        t.equal("status", t.client(proxy.plain).get("/x").status, 200)


@case("lifecycle", "log-pipe-full", only=OURS)
def log_full(t):
    """Whoever reads its log has stopped reading: it serves on."""
    proxy = t.start_proxy(start=False)
    reading, writing = os.pipe()
    proxy.process = subprocess.Popen(proxy.command() + ["--log", "trace"], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, cwd=proxy.folder)
    os.close(writing)
    t.check(wait_for(lambda: _listens(proxy.plain), 10), "it does not listen")
    client = t.client(proxy.plain)
    for _time in range(300):
        t.equal("status", client.get("/x").status, 200)
    os.close(reading)


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


@case("lifecycle", "several-listeners", only=OURS)
def listeners(t):
    """A list of addresses, one of them of IPv6."""
    port, text = free_ports(1)[0], t.proxy.text
    six = socket.has_ipv6 and _listens_six()
    if not six:
        raise Skipped("no ::1 here")
    changed = text.replace("listen: 127.0.0.1:@PLAIN@", 'listen: ["127.0.0.1:@PLAIN@", "[::1]:%d"]' % port)
    if changed == text:
        changed = text.replace("  - 127.0.0.1:@PLAIN@", '  - 127.0.0.1:@PLAIN@\n  - "[::1]:%d"' % port)
    proxy = t.start_proxy(config=changed)
    t.equal("on 127.0.0.1", t.client(proxy.plain).get("/x").status, 200)
    t.equal("on ::1", t.client(port, host="::1").get("/x").status, 200)
    t.equal("X-Forwarded-For", t.upstream.requests[-1].get(b"x-forwarded-for"), b"::1")


def _listens_six():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


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
    proxy.reload("nonsense: [\n")
    pause(1.0)
    t.check(proxy.alive(), "it has ended", proxy.log()[-300:])
    t.equal("body", t.client(proxy.plain).get("/x").body, b"GET /x\n")


@case("lifecycle", "reload-under-load-fails-nobody")
def reload_load(t):
    proxy = t.start_proxy()
    trouble, done, count = [], threading.Event(), [0]

    def work(keep):
        client = None
        while not done.is_set():
            try:
                client = client or t.client(proxy.plain, patience=8)
                answer = client.get("/x")
                if answer.status != 200 or not answer.clean:
                    trouble.append(repr(answer))
                count[0] += 1
                closing = b"close" in (answer.get(b"connection") or b"").lower()
            except Short as short:
                # A kept-alive connection may end between two requests; a new one may not.
                if not (keep and "fin" in short.args[0]):
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
        text = proxy.text.replace("crt @CERTIFICATES@/shop.pem crt @CERTIFICATES@/other.pem", "crt @CERTIFICATES@/other.pem")
    else:
        text = proxy.text.replace("@CERTIFICATES@/shop.", "@CERTIFICATES@/other.")
    proxy.reload(text)
    t.check(wait_for(names, 6, 0.1), "the new certificate after the reload")


# -- what the operator sees

@case("lifecycle", "admin-health", only=OURS)
def health(t):
    answer = t.client(t.proxy.admin).get("/healthz")
    t.equal("status", answer.status, 200)
    t.check(b"ok" in answer.body, "the word", answer.body)


@case("lifecycle", "admin-metrics", only=OURS)
def metrics(t):
    t.probe(2)
    answer = t.client(t.proxy.admin).get("/metrics")
    t.equal("status", answer.status, 200)
    lines = [line for line in answer.body.decode().splitlines() if line and not line.startswith("#")]
    t.check(len(lines) > 5 and all(len(line.rsplit(" ", 1)) == 2 for line in lines), "lines of a name and a number", lines[:5])
    t.check(any(float(line.rsplit(" ", 1)[1]) > 0 for line in lines), "nothing was counted", lines)


@case("lifecycle", "admin-unknown-and-other-methods", only=OURS)
def admin_other(t):
    t.equal("unknown", t.client(t.proxy.admin).get("/nothing").status, 404)
    t.equal("POST", t.client(t.proxy.admin).get("/healthz", b"Content-Length: 0\r\n", method="POST").status, 405)


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
    answer = t.client(proxy.plain).get("/x", b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.test\r\n")
    t.equal("status", answer.status, 200)
    request = t.one_request()
    t.equal("X-Forwarded-For", request.get(b"x-forwarded-for"), b"203.0.113.9, 127.0.0.1")
    t.equal("X-Forwarded-Proto", request.get(b"x-forwarded-proto"), b"https")
    t.equal("X-Forwarded-Host", request.get(b"x-forwarded-host"), b"www.test")


@case("lifecycle", "stranger-is-not-believed", only=OURS)
def stranger(t):
    t.client().get("/x", b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.test\r\nX-Forwarded-Port: 1\r\n"
                         b"Forwarded: for=203.0.113.9\r\nX_Forwarded_For: 203.0.113.9\r\n")
    request = t.one_request()
    t.equal("X-Forwarded-For", request.all(b"x-forwarded-for"), [b"127.0.0.1"])
    t.equal("X-Forwarded-Proto", request.all(b"x-forwarded-proto"), [b"http"])
    t.check(b"203.0.113.9" not in request.head and b"www.test" not in request.head, "a stranger's word reached the shop", request.head)


@case("lifecycle", "connection-limit-makes-others-wait", only=OURS)
def limit(t):
    """Above `limits.connections` a connection waits, and is served when one has gone."""
    proxy = t.start_proxy(extra="\nlimits: { connections: 64 }\n")
    clients = [t.client(proxy.plain) for _ in range(64)]
    for client in clients:
        t.equal("status", client.get("/x").status, 200)
    late = t.client(proxy.plain)
    late.send(ASK)
    t.check(not late.ended(0.5) and not late.reader.buffer, "the 65th was served or ended", late.reader.taken)
    clients[0].close()
    t.equal("status", late.answer().status, 200)


@case("lifecycle", "redirect-to-https", only=OURS)
def redirect(t):
    t.need("tls")
    text = t.proxy.text.replace("  - 127.0.0.1:@PLAIN@", '  - { address: "127.0.0.1:@PLAIN@", redirect: true }')
    proxy = t.start_proxy(config=text)
    answer = t.client(proxy.plain).get("/a?b=c")
    t.equal("status", answer.status, 308)
    t.check((answer.get(b"location") or b"").startswith(b"https://shop.test") and answer.get(b"location").endswith(b"/a?b=c"), "Location", answer.head)
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


def two_shops(t, more=""):
    other = Upstream()
    text = t.proxy.text.replace("upstream: http://127.0.0.1:@UPSTREAM@",
                                "upstream: [\"http://127.0.0.1:@UPSTREAM@\", \"http://127.0.0.1:%d\"]%s" % (other.port, more))
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
