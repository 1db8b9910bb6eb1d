"""One refgate with its shop and network, and what a shopper and its operator see of it."""
import http.client
import json
import os
import re
import sqlite3
import time

from suite import free_port, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
REFGATE = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")

# `hold` is half a second and the spool has five: what takes longer than both hangs.
SOON = 8


class Scene:
    def __init__(self, suite, data, shop_port, page, network):
        self.suite, self.data, self.page, self.network = suite, data, page, network
        self.front, self.admin = free_port(), free_port()
        with open(os.path.join(ROOT, "tests", "lib", "proxy.yaml"), encoding="utf-8") as file:
            words = file.read().replace("deliver: {", "deliver: { rest: 1s, rest_longest: 2s,")
            words += "\nalarms: { look_every: 500ms }\n"
        self.config = os.path.join(data, "proxy.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(words)
        self.env = {"LISTEN_PORT": str(self.front), "ADMIN_PORT": str(self.admin), "SHOP_PORT": str(shop_port),
                    "NETWORK_PORT": str(network.port), "DATA": data}
        self.program, self.runs, self.kept, self.orders, self.doubtful = None, 0, None, [], set()

    def start(self, env=None):
        self.runs += 1
        self.name = "refgate-%s-%d" % (os.path.basename(self.data), self.runs)
        command = [REFGATE, "run", "--config", self.config]
        self.program = self.suite.start(self.name, command, self.front, {**self.env, **(env or {})})
        self.kept = None

    def stop(self):
        self.suite.equal("refgate ends cleanly", self.suite.stop(self.program), 0)

    def close(self):
        if self.program.poll() is None:
            self.stop()
        self.network.close()

    def log(self):
        return re.sub("\x1b\\[[0-9;]*m", "", self.suite.log(self.name))

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.front, timeout=30)

    def buys(self, order, connection=None):
        """A shopper follows an affiliate's link, passes the checkout and buys. What was wrong with the pages, in words; none if nothing."""
        connection = connection or self.connect()
        affiliate = str(500000 + int(order))
        began = time.monotonic()
        connection.request("GET", "/?affiliate_id=" + affiliate, headers={"Host": "shop.localhost"})
        answer = connection.getresponse()
        answer.read()
        cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
        connection.request("GET", "/checkout", headers={"Host": "shop.localhost", "Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        cookie = (answer.headers["Set-Cookie"] or cookie).partition(";")[0]
        connection.request("GET", "/checkout/thank-you/" + order, headers={"Host": "shop.localhost", "Cookie": cookie})
        answer = connection.getresponse()
        body, took = answer.read(), time.monotonic() - began
        self.orders.append((order, affiliate))
        if answer.status != 200 or body != self.page(order):
            return "status %d, %d bytes" % (answer.status, len(body))
        return "it took %.1f s" % took if took > SOON else ""

    def served(self, what, order, connection=None):
        wrong = self.buys(order, connection)
        return self.suite.claim("%s: the page is the shop's, and comes soon" % what, not wrong, wrong)

    def told(self, what, seconds=40):
        """The network is told of every order bought so far, once."""
        expected = sorted(self.orders)
        ours = lambda: [call for call in self.network.calls if call["adv_unique1"] not in self.doubtful]  # noqa: E731
        calls = lambda: sorted((call["adv_unique1"], call["aff_id"]) for call in ours())  # noqa: E731
        try:
            wait_until("the network was told", lambda: len(ours()) >= len(expected), seconds)
        except TimeoutError:
            pass
        return self.suite.equal("%s: the network is told of every order once" % what, calls(), expected)

    def doubts(self):
        """Whether the last order is owed to anybody is not for the suite to say."""
        self.doubtful.add(self.orders.pop()[0])

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def alarms(self):
        status, text = self.ask("/alarms")
        return {alarm["alarm"] for alarm in json.loads(text)["alarms"]} if status == 200 else {"status %d" % status}

    def alarmed(self, what, names):
        """These stand, in the alarms and in the metrics."""
        try:
            wait_until("alarms", lambda: set(names) <= self.alarms(), SOON)
        except TimeoutError:
            pass
        self.suite.claim("%s: the operator is told (%s)" % (what, ", ".join(names)), set(names) <= self.alarms(),
                         lambda: "these stand: %s" % sorted(self.alarms()))
        metrics = self.ask("/metrics")[1]
        lacking = [name for name in names if 'refgate_alarm{alarm="%s"} 1' % name not in metrics]
        self.suite.equal("%s: the metrics say so" % what, lacking, [])

    def calm(self, what, names):
        """When it is over these do not stand any more."""
        try:
            wait_until("the alarms are over", lambda: not set(names) & self.alarms(), 30)
        except TimeoutError:
            pass
        self.suite.equal("%s: the alarms are over" % what, sorted(set(names) & self.alarms()), [])
        self.suite.equal("%s: healthy again" % what, self.ask("/healthz")[0], 200)

    def database(self):
        return sqlite3.connect(os.path.join(self.data, "refgate.db"), timeout=10, isolation_level=None)

    def spooled(self):
        spool = os.path.join(self.data, "spool")
        return [name for name in os.listdir(spool) if name.endswith(".order")] if os.path.isdir(spool) else []
