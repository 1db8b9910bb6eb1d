"""refgate before a shop, and what an operator and a network see of it."""
import glob
import http.client
import json
import os
import re
import secrets
import subprocess
import time
from collections import Counter

from network import Network
from suite import free_port, wait_until
from visitor import Visitor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
REFGATE = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
DAY = 86400


class Clock:
    """What the programs take for the time (libfaketime): days pass at once. The monotonic clock stays."""

    def __init__(self, folder):
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]
        self.file, self.passed = os.path.join(folder, "offset"), 0
        self.env = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": self.file, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.later(0)

    def fast(self):
        """The environment in which all clocks run, a hundred times as fast, from now on."""
        return {"LD_PRELOAD": self.env["LD_PRELOAD"], "FAKETIME": "+%d x100" % self.passed}

    def later(self, seconds):
        self.passed += seconds
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write("+%d" % self.passed)
        os.rename(self.file + ".new", self.file)


class Scene:
    """`namespace` is that of its orders, `network` the test network by whose `manners` ({network: answer}) it answers."""

    name, namespace = "refgate", ""

    def __init__(self, suite, data):
        self.suite, self.data, self.pages = suite, data, []
        self.clock, self.network, self.manners = Clock(data), Network(), {}
        self.network.words = lambda call: self.manners.get(call["path"][1:], lambda _call: b"success=true;")(call)
        self.front, self.admin, self.owed = free_port(), free_port(), Counter()
        self.token, self.secret = secrets.token_hex(16), "t0ken-" + secrets.token_hex(8)
        with open(os.path.join(data, "anna.token"), "w", encoding="ascii", opener=private) as file:
            file.write(self.token)
        self.env = {**self.clock.env, "LISTEN_PORT": str(self.front), "ADMIN_PORT": str(self.admin),
                    "NETWORK_PORT": str(self.network.port), "DATA": data, "TOKEN": self.secret, "USER": "anna"}

    def start(self, shop_port):
        self.env["SHOP_PORT"] = str(shop_port)
        self.config, self.logs = self.configured("proxy.yaml"), []
        self.run(self.env)

    def run(self, env):
        self.logs.append("%s-%d" % (self.name, len(self.logs)))
        self.program = self.suite.start(self.logs[-1], [REFGATE, "--log", "debug", "run", "--config", self.config],
                                        self.front, env)

    def hurry(self, what, holds):
        """Has refgate run a hundred times as fast, timers too, until that holds; then it runs as before."""
        ways = ((self.clock.fast(), lambda: wait_until(what, holds)), (self.clock.env, lambda: None))
        for clock, wait in ways:
            self.suite.equal("refgate ends cleanly", self.suite.stop(self.program), 0)
            self.run({**{name: value for name, value in self.env.items() if name not in self.clock.env}, **clock})
            wait()
        self.later(hours=1)

    def configuration(self):
        with open(os.path.join(HERE, "proxy.yaml"), encoding="utf-8") as file:
            return file.read()

    def configured(self, name, change=lambda text: text):
        """The configuration with a change; where it is."""
        path = os.path.join(self.data, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(change(self.configuration()))
        return path

    # Time and visitors.

    def now(self):
        """What refgate takes for the time, in its own words."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.clock.passed))

    def later(self, seconds=0, minutes=0, hours=0, days=0):
        """Time passes. Nothing may be under way that would last so long."""
        wait_until("nothing is being sent", lambda: self.metric('refgate_postbacks{state="sending"}') == 0)
        self.clock.later(seconds + 60 * minutes + 3600 * hours + DAY * days)

    def visitor(self, *where, **habits):
        return Visitor(self, *where, **habits)

    # What the operator sees and does.

    def refgate(self, *words, config=None, **env):
        """A command's exit code and its words."""
        done = subprocess.run([REFGATE, "--config", config or self.config, *words], timeout=60, cwd=self.data,
                              env={**os.environ, **self.env, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode()

    def does(self, *words):
        """A command that must succeed; what it says."""
        code, said = self.refgate(*words)
        if code:
            raise RuntimeError("refgate %s: %d: %s" % (" ".join(words), code, said))
        return said

    def starts(self, config, **env):
        """Whether another refgate serves by this configuration; it is ended again. Its log is `another`."""
        program = self.suite.start("another", [REFGATE, "run", "--config", config], env={**self.env, **env})
        wait_until("it serves or ends", lambda: program.poll() is not None or "serving" in self.suite.log("another"))
        return program.poll() is None and self.suite.stop(program) == 0

    def story(self, number, namespace=None):
        """What `refgate explain` says of an order; none if it is none."""
        code, said = self.refgate("--json", "--log", "off", "explain", number)
        stories = [] if code else json.loads(said)
        if not isinstance(stories, list):
            return None
        wanted = namespace or self.namespace
        return next((story for story in stories if story["order"]["key"]["namespace"] == wanted), None)

    def outcome(self, number, namespace=None):
        """Where an order stands, in the words of the manual."""
        story = self.story(number, namespace)
        return worded(story["order"]) if story else "no order"

    def outcomes(self, numbers, namespace=None):
        """The same of many, each once."""
        known = {order["key"]["id"]: worded(order) for order in self.orders()
                 if order["key"]["namespace"] == (namespace or self.namespace)}
        return {known.get(number, "no order") for number in numbers}

    def orders(self):
        return json.loads(self.does("--json", "--log", "off", "orders", "--limit", "10000"))

    def why(self, number, namespace=None):
        return self.story(number, namespace)["order"]["why"]

    def partner(self, number):
        """Whose click the order is owed to."""
        return self.story(number)["order"]["click"]["values"]["affiliate_id"]

    def ask(self, method, path, **headers):
        """A request to the admin listener: status and text; `_` in a name is `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def metric(self, name):
        text = self.ask("GET", "/metrics")[1]
        return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name + " "))

    def alarms_in_full(self):
        status, text = self.ask("GET", "/alarms", Authorization="Bearer " + self.token)
        return json.loads(text)["alarms"] if status == 200 else [{"alarm": "status %d" % status, "subject": ""}]

    def alarms(self):
        return {alarm["alarm"] for alarm in self.alarms_in_full()}

    def log(self):
        return re.sub("\x1b\\[[0-9;]*m", "", "".join(map(self.suite.log, self.logs)))

    # What the network is told.

    def calls(self, number):
        return [call for call in self.network.calls if call["adv_unique1"] == number]

    def owe(self, number, partner, amount, network="aspire"):
        """From now on the network is to know of this order, once; waits until it does."""
        self.owed[(network, number, partner, amount)] += 1
        try:
            wait_until("the order is told", lambda: self.calls(number), 15)
        except TimeoutError:
            pass
        told = [(call["path"], call["aff_id"], call["amount"]) for call in self.calls(number)]
        return self.suite.equal("order %s is told once, to %s for %s, %s" % (ascii(number)[1:-1], network, partner, amount),
                                told, [("/" + network, partner, amount)])

    def told_nothing_else(self):
        told = Counter((call["path"][1:], call["adv_unique1"], call["aff_id"], call["amount"])
                       for call in self.network.calls)
        self.suite.claim("the network was told of %d orders, and of nothing else" % sum(self.owed.values()),
                         told == self.owed, lambda: "too much %r, too little %r" % (told - self.owed, self.owed - told))

    def end(self):
        """What holds whatever was tried."""
        self.told_nothing_else()
        self.suite.equal("nothing panicked", [line for line in self.log().splitlines() if "panicked" in line], [])
        self.suite.equal("refgate ends cleanly on SIGTERM", self.suite.stop(self.program), 0)


def worded(order):
    standing = order["standing"]
    if standing["state"] == "held":
        return "held, " + standing["doubt"].replace("_", " ")
    return {"organic": "nobody's"}.get(standing["state"], standing["state"])


def private(path, flags):
    return os.open(path, flags, 0o600)
