#!/usr/bin/env python3
"""kill -9 between page and postback: nothing that was delivered is lost, nothing is sent twice.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
Each round starts refgate, buys once and kills it. In which stage it died is what the shopper, the shop and the
network saw: the page was not complete; it was, and the network had no call; it had one and had not answered; it
had answered. The network deduplicates nothing, as the configuration says.
"""
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from network import Network  # noqa: E402
from suite import Suite, free_port, wait_until  # noqa: E402

CONFIG = os.path.join(ROOT, "tests", "lib", "proxy.yaml")
PAGE = (b"<!doctype html><html><body><h1>Thank you for your order</h1><table id=totals><tr class=subtotal>"
        b"<td>$1,249.95</td></tr></table>" + b"<p>Come again.</p>" * 2000 + b"</body></html>")
STAGES = ("page", "committed", "sending", "answered")
# When refgate is killed, and how often.
PLANS = {
    "in the middle of the page": 8,
    "when the shop has sent its last byte": 8,
    "when the shopper has the last byte": 8,
    "when the network refused the connection": 8,
    "when the network has the call": 12,
    "when the network has answered": 12,
}


class Round:
    """One order: what was seen of it, and the moment at which to kill."""

    def __init__(self, order, plan):
        self.order, self.plan = order, plan
        self.moment = threading.Event()  # set when the plan's moment has come
        self.killed = threading.Event()
        self.complete = self.answered = False

    def reached(self, plan):
        """Called wherever a plan's moment is; waits there for the kill."""
        if plan == self.plan and not self.killed.is_set():
            self.moment.set()
            self.killed.wait(20)

    def stage(self, calls):
        if not self.complete:
            return "page"
        if not calls:
            return "committed"
        return "answered" if self.answered else "sending"


class Crash:
    def __init__(self, suite, workdir):
        self.suite, self.data = suite, tempfile.mkdtemp(prefix="refgate-", dir=workdir)
        self.network, self.front, self.round = Network(), free_port(), None
        self.network.before = lambda call: self.of(call).reached("when the network has the call")
        self.network.after = self.network_answered
        self.rounds = {}
        self.shop = self.open_shop()
        self.refgate = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
        self.environment = {
            "LISTEN_PORT": str(self.front), "ADMIN_PORT": str(free_port()), "NETWORK_PORT": str(self.network.port),
            "SHOP_PORT": str(self.shop.server_port), "DATA": self.data}

    def of(self, call):
        return self.rounds[call["adv_unique1"]]

    def calls(self, order):
        return [call for call in self.network.calls if call["adv_unique1"] == order]

    def network_answered(self, call):
        self.of(call).answered = True
        self.of(call).reached("when the network has answered")

    def open_shop(self):
        crash = self

        class Shop(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                this = crash.rounds.get(self.path.rpartition("/")[2])
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(PAGE)))
                self.end_headers()
                self.wfile.write(PAGE[:-100])
                if this:
                    this.reached("in the middle of the page")
                self.wfile.write(PAGE[-100:])
                if this:
                    this.reached("when the shop has sent its last byte")

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        shop = Server(("127.0.0.1", 0), Shop)
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        return shop

    def start(self):
        return self.suite.start("refgate", [self.refgate, "run", "--config", CONFIG], self.front, self.environment)

    def get(self, path, cookie=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.front, timeout=20)
        connection.request("GET", path, headers={"Host": "shop.localhost", **({"Cookie": cookie} if cookie else {})})
        answer = connection.getresponse()
        return answer.headers, answer.read()

    def buy(self, this):
        """The shopper: gets the page, or a part of it."""
        headers, _body = self.get("/?affiliate_id=123456")
        headers, _body = self.get("/checkout", headers["Set-Cookie"].partition(";")[0])
        cookie = headers["Set-Cookie"].partition(";")[0]
        try:
            _headers, body = self.get("/checkout/thank-you/" + this.order, cookie)
            this.complete = body == PAGE
        except (http.client.HTTPException, OSError):
            return
        if this.plan == "when the network refused the connection":
            self.wait_for_refusal(this)
        this.reached("when the shopper has the last byte")

    def wait_for_refusal(self, this):
        """A refused connection leaves no trace outside: it is in the ledger's own words."""
        def refused():
            postback = self.postbacks().get(this.order, {"attempts": 0})
            return postback["attempts"] > 0 and postback["state"] == "due"
        wait_until("an attempt was refused", refused, 20)
        this.reached(this.plan)

    def postbacks(self):
        """What `refgate postbacks list` says, by order number."""
        out = subprocess.run([self.refgate, "postbacks", "list", "--limit", "1000", "--config", CONFIG, "--json"],
                             check=True, timeout=30, env={**os.environ, **self.environment}, stdout=subprocess.PIPE,
                             text=True).stdout
        return {postback["order"]["id"]: postback for postback in json.loads(out)}

    def kill_once(self, order, plan):
        """One round; returns the stage in which refgate died."""
        this = self.rounds[order] = Round(order, plan)
        refused = plan == "when the network refused the connection"
        if refused:
            self.network.close()
        program = self.start()
        shopper = threading.Thread(target=self.buy, args=(this,), daemon=True)
        shopper.start()
        if not this.moment.wait(20):
            raise TimeoutError("order %s never came to the moment %s" % (order, plan))
        self.suite.kill(program)
        calls, answered = len(self.calls(order)), this.answered
        this.killed.set()
        shopper.join(20)
        if refused:
            self.network.open()
        this.answered = answered
        return this.stage(calls)


def settled(crash):
    """The state of each order's postback, once none is on its way any more."""
    def states():
        found = {order: postback["state"] for order, postback in crash.postbacks().items()}
        return found if not set(found.values()) & {"due", "sending"} else None
    return wait_until("every postback has come to an end", states, 90)


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "crash"))
    with Suite("kill -9", workdir, limit=300) as suite:
        crash = Crash(suite, workdir)
        plans = [plan for plan, times in PLANS.items() for _time in range(times)]
        stages = {}
        for at, plan in enumerate(plans):
            order = str(1000 + at)
            stages[order] = crash.kill_once(order, plan)
        program = crash.start()
        states = settled(crash)
        print("        killed %d times: %s" % (len(stages), dict(Counter(stages.values()))))
        suite.claim("refgate was killed at least 50 times", len(stages) >= 50)
        for stage in STAGES:
            orders = [order for order in stages if stages[order] == stage]
            suite.claim("at least 5 times in the stage %s" % stage, len(orders) >= 5, "%d times" % len(orders))
            ends = {order: (states.get(order, "missing"), len(crash.calls(order))) for order in orders}
            delivered = [order for order in orders if crash.rounds[order].complete]
            suite.claim("%s: every delivered order is accepted or unclear, none is missing: %s"
                        % (stage, dict(Counter(state for state, _calls in ends.values()))),
                        all(ends[order][0] in ("accepted", "unclear") for order in delivered), ends)
            suite.claim("%s: no postback is sent twice" % stage,
                        all(calls <= 1 for _state, calls in ends.values()), ends)
            suite.claim("%s: accepted is what the network was told" % stage,
                        all(calls == 1 for state, calls in ends.values() if state == "accepted"), ends)
        suite.equal("refgate ends cleanly at last", suite.stop(program), 0)
        shutil.rmtree(crash.data)


if __name__ == "__main__":
    main()
