#!/usr/bin/env python3
"""The ledger on PostgreSQL: its tests on a real server, and three processes on one database.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
Starts a throwaway server with `fsync` on, as a user that is not root, and runs the tests of tests/it that keep a
ledger on it. Then three processes of refgate serve from one database: one of them is killed while the network has
its call, one while its postbacks are due, and at last the server itself.
"""
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from network import Network  # noqa: E402
from postgres import Server  # noqa: E402
from suite import Suite, free_port, wait_until  # noqa: E402

PAGE = (b"<!doctype html><html><body><h1>Thank you for your order</h1><table id=totals><tr class=subtotal>"
        b"<td>$1,249.95</td></tr></table></body></html>")
# Those of tests/it that keep a ledger, where `support::sale::open` or `support::postgres` says on which engine.
TESTS = ["ledger::", "deliver::", "replicas::", "operator::reconcile::"]


def tests(suite, server):
    """cargo's own tests, with the server; their closing lines are counted as they stand."""
    server.sql("CREATE DATABASE tls")
    environment = {
        **os.environ, "REFGATE_TEST_POSTGRES": server.url("DATABASE").partition("?")[0],
        "REFGATE_TEST_POSTGRES_TLS": server.url("tls", "localhost", "verify-full"),
        "REFGATE_TEST_POSTGRES_CA": os.path.join(server.dir, "ca.crt")}
    done = subprocess.run(["cargo", "test", "--locked", "--test", "it", "--", *TESTS], cwd=ROOT, env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(done.stdout, flush=True)
    count = sum(int(number) for number in re.findall(r"(\d+) passed", done.stdout))
    suite.claim("the ledger's tests pass on PostgreSQL", done.returncode == 0 and count > 50, "%d passed" % count)


class Replicas:
    """Three processes of one configuration before one shop, with one database and one network."""

    def __init__(self, suite, server, workdir):
        self.suite, self.server = suite, server
        self.data = tempfile.mkdtemp(prefix="replicas-", dir=workdir)
        self.network, self.shop = Network(), open_shop()
        self.refgate = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
        server.sql("CREATE DATABASE replicas")
        with open(os.path.join(ROOT, "tests", "lib", "proxy.yaml"), encoding="utf-8") as file:
            text = file.read()
        text = text.replace('ledger: { path: "${DATA}/refgate.db" }', 'ledger: { url: "${LEDGER}" }')
        text = text.replace("spool: ${DATA}/spool", "spool: ${SPOOL}")
        text = text.replace("deliver: {", "deliver: { timeout: 5s,")
        self.config = os.path.join(self.data, "proxy.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)
        self.ports, self.programs = {}, {}
        for name in "abc":
            self.start(name)

    def environment(self, name):
        return {"LISTEN_PORT": str(self.ports[name]), "ADMIN_PORT": str(free_port()), "SHOP_PORT":
                str(self.shop.server_port), "NETWORK_PORT": str(self.network.port), "DATA": self.data, "LEDGER":
                self.server.url("replicas"), "SPOOL": os.path.join(self.data, "spool-" + name)}

    def start(self, name):
        self.ports[name] = free_port()
        self.programs[name] = self.suite.start("refgate-" + name, [self.refgate, "run", "--config", self.config],
                                               self.ports[name], self.environment(name))

    def get(self, name, path, cookie=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=20)
        connection.request("GET", path, headers={"Host": "shop.localhost", **({"Cookie": cookie} if cookie else {})})
        answer = connection.getresponse()
        return answer.headers, answer.read()

    def click(self, name):
        headers, _body = self.get(name, "/?affiliate_id=123456")
        headers, _body = self.get(name, "/checkout", headers["Set-Cookie"].partition(";")[0])
        return headers["Set-Cookie"].partition(";")[0]

    def buy(self, name, order, cookie):
        _headers, body = self.get(name, "/checkout/thank-you/" + order, cookie)
        return body == PAGE

    def command(self, *words):
        return subprocess.run([self.refgate, *words, "--config", self.config, "--json"], check=True, timeout=30,
                              env={**os.environ, **self.environment("a")}, stdout=subprocess.PIPE, text=True).stdout

    def postbacks(self):
        found = json.loads(self.command("postbacks", "list", "--limit", "1000"))
        return {postback["order"]["id"]: postback["state"] for postback in found}

    def calls(self, order):
        return len([call for call in self.network.calls if call["adv_unique1"] == order])

    def come_to(self, states, orders, seconds):
        """Waits until the postbacks of all these orders are in one of these states."""
        def there():
            found = self.postbacks()
            return all(found.get(order) in states for order in orders) and found
        return wait_until("%s are in %s" % (orders, states), there, seconds)

    def sender(self, order):
        """Which process has sent it, by its own log."""
        line = "postback sent order.id=%s " % order
        return next((name for name in self.programs if line in self.suite.log("refgate-" + name)), None)

    def spooled(self, name):
        """Its orders; the witness of the ledger stands beside them."""
        files = os.listdir(os.path.join(self.data, "spool-" + name))
        return [file for file in files if file.endswith(".order")]

    def kill(self, name):
        self.suite.kill(self.programs.pop(name))


def open_shop():
    class Shop(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    shop = Server(("127.0.0.1", 0), Shop)
    threading.Thread(target=shop.serve_forever, daemon=True).start()
    return shop


def one_order(suite, replicas):
    cookie = replicas.click("a")
    pages = [replicas.buy(name, "100", cookie) for name in "abc"]
    suite.equal("every replica serves the page of an order that all of them see", pages, [True] * 3)
    replicas.come_to({"accepted"}, ["100"], 30)
    suite.equal("it is one order, and the network is told once", (list(replicas.postbacks()), replicas.calls("100")),
                (["100"], 1))
    suite.claim("`orders` and `explain` tell of it", "100" in replicas.command("orders")
                and "affiliate_id" in replicas.command("explain", "100"))
    suite.claim("`import` has nothing to do", "100" not in replicas.command("import"))


def killed_while_sending(suite, replicas):
    called, go_on = threading.Event(), threading.Event()

    def before(call):
        if call["adv_unique1"] == "200":
            called.set()
            go_on.wait(60)

    replicas.network.before = before
    replicas.buy("a", "200", replicas.click("a"))
    if not called.wait(30):
        raise TimeoutError("the network was never called")
    sender = wait_until("a log says who sends", lambda: replicas.sender("200"), 10)
    replicas.kill(sender)
    go_on.set()
    suite.equal("while the lease lasts nobody touches what was being sent", replicas.postbacks()["200"], "sending")
    return sender


def killed_with_due(suite, replicas):
    """The network is away, so that postbacks are due again and again; whoever has entered them is killed."""
    name = sorted(replicas.programs)[0]
    replicas.network.close()
    cookie, orders = replicas.click(name), [str(number) for number in range(300, 306)]
    pages = [replicas.buy(name, order, cookie) for order in orders]
    suite.equal("pages are served", pages, [True] * len(orders))
    replicas.kill(name)
    replicas.network.open()
    # One whose attempt was open at that moment is unclear, and may be.
    states = replicas.come_to({"accepted", "unclear"}, orders, 150)
    ends = [(states[order], replicas.calls(order)) for order in orders]
    suite.claim("what was due is delivered by the one that is left, once each: %s" % ends,
                all(calls == (state == "accepted") for state, calls in ends)
                and ("accepted", 1) in ends, ends)


def server_killed(suite, replicas):
    replicas.start("d")
    cookies = {name: replicas.click(name) for name in replicas.programs}
    called, go_on = threading.Event(), threading.Event()

    def before(call):
        if call["adv_unique1"] == "500":
            called.set()
            go_on.wait(60)

    replicas.network.before = before
    replicas.buy("d", "500", cookies["d"])
    if not called.wait(30):
        raise TimeoutError("the network was never called")
    replicas.suite.kill(replicas.server.program)
    go_on.set()
    orders = {name: "40" + name.translate(str.maketrans("abcd", "0123")) for name in cookies}
    pages = [replicas.buy(name, order, cookies[name]) for name, order in orders.items()]
    suite.equal("without the database every page is served", pages, [True] * len(orders))
    suite.equal("and every order is in its process's spool", [len(replicas.spooled(name)) for name in orders],
                [1] * len(orders))
    time.sleep(22)  # longer than an answer waits for a ledger that is not away
    wait_until("the server's processes are gone", lambda: not os.path.exists(
        os.path.join(replicas.server.data, "postmaster.pid")) or not_running(replicas.server), 30)
    replicas.server.start()
    replicas.come_to({"accepted"}, orders.values(), 150)
    suite.equal("when it is back they are entered and told, once each",
                [replicas.calls(order) for order in orders.values()], [1] * len(orders))
    states = replicas.come_to({"accepted", "unclear"}, ["500"], 150)
    suite.equal("an answer that came while it was away is kept", (states["500"], replicas.calls("500")),
                ("accepted", 1))
    left = [file for name in orders for file in replicas.spooled(name)]
    suite.equal("and no spool holds any", left, [])


def not_running(server):
    """Killed, it leaves its file; its children end by themselves, and a new one waits for the last of them."""
    return subprocess.run(["pgrep", "-f", re.escape(server.data)], stdout=subprocess.DEVNULL, check=False).returncode


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "postgres"))
    with Suite("PostgreSQL", workdir, limit=570) as suite:
        server = Server(suite)
        try:
            tests(suite, server)
        finally:
            server.end()
        # A new one: started after a kill, a server syncs every file that it has.
        server = Server(suite)
        try:
            replicas = Replicas(suite, server, workdir)
            one_order(suite, replicas)
            killed_while_sending(suite, replicas)
            killed_with_due(suite, replicas)
            server_killed(suite, replicas)
            # As if the lease's time had gone by: that would be another minute.
            server.sql("UPDATE refgate.postbacks SET lease = lease - 120000 WHERE state = 'sending'", "replicas")
            states = replicas.come_to({"accepted", "unclear"}, ["200"], 150)
            suite.equal("what was being sent when its process was killed is unclear", states["200"], "unclear")
            suite.equal("and was not sent again", replicas.calls("200"), 1)
            ends = [suite.stop(program) for program in replicas.programs.values()]
            suite.equal("the replicas end cleanly", ends, [0] * len(ends))
            shutil.rmtree(replicas.data)
        finally:
            server.end()


if __name__ == "__main__":
    main()
