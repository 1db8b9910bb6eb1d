"""Beginning: again, twice, with a configuration that is none, with nobody there."""

import os
import signal
import socket
import subprocess

from groups.lifecycle_end import OURS
from harness.cases import Skipped, add, case
from harness.client import wait_for
from harness.proxies import free_ports
from harness.upstream import Upstream

# -- beginning


def command(t, *arguments, proxy=None, config=None):
    """Runs the binary to its end; (exit status, what it said)."""
    run = subprocess.run(
        [t.slot.binary, *arguments, "--config", config or proxy.config],
        stdin=subprocess.DEVNULL,
        timeout=20,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=(proxy or t.proxy).folder,
    )
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
    t.check(
        status not in (0, None) and str(proxy.plain) in text, "expected a failure that names the address", status, text
    )
    listener.close()


CONFIGS = [
    ("unknown-key", lambda text: text + "\nnonsense: 1\n"),
    ("no-yaml", lambda text: "{{{{"),
    ("empty", lambda text: ""),
    ("no-listen", lambda text: text.replace("listen:", "listens:", 1)),
    ("bad-duration", lambda text: text.replace("drain: 4s", "drain: 4 parsecs")),
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
        t.check(
            wait_for(lambda: t.client(proxy.plain).get("/x").status == 200, 4, 0.1),
            "expected 200 once the shop is there",
        )
    finally:
        shop.close()


@case("lifecycle", "log-pipe-closed", only=OURS)
def log_pipe(t):
    """Whoever read its log is gone: it serves on."""
    proxy = t.start_proxy(start=False)
    reading, writing = os.pipe()
    proxy.process = subprocess.Popen(
        proxy.command() + ["--log", "debug"], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, cwd=proxy.folder
    )
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
    proxy.process = subprocess.Popen(
        proxy.command() + ["--log", "trace"], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, cwd=proxy.folder
    )
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
