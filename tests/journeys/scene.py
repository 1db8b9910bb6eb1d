"""refgate, its shop and its network, on a clock that the shoppers set; and what became of every order."""
import glob
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
import urllib.request

from network import Network
from suite import free_port, wait_until

from shop import HOSTS, Shop

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
# What refgate sets by itself, or what belongs to one connection.
OWN = {"connection", "keep-alive", "transfer-encoding", "date", "set-cookie"}
# What it changes in an answer that only this shopper may see.
CACHING = {"cache-control", "expires"}
TOKEN = re.compile(rb"[?&]refgate=[A-Za-z0-9_\-+/=%.]+")
FIELD = re.compile(rb"<input type=[\"']?hidden[\"']? name=[\"']?refgate[\"']? value=[\"']?[^>]*>")


class Scene:
    def __init__(self, suite):
        self.suite, self.shop, self.network = suite, Shop(), Network()
        self.hosts, self.port, self.admin = set(HOSTS.values()), free_port(), free_port()
        self.asked, self.differs = 0, []
        self.data = os.path.join(suite.workdir, "data")
        shutil.rmtree(self.data, ignore_errors=True)
        os.makedirs(self.data)
        self.refgate = os.path.abspath(os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "300",
                        "-subj", "/CN=stores", "-addext", "subjectAltName=" + ",".join("DNS:" + host for host in sorted(self.hosts)),
                        "-keyout", "stores.key", "-out", "stores.pem"], cwd=self.data, check=True, capture_output=True)
        self.offset_file, self.offset = os.path.join(self.data, "offset"), -1.0
        self.begun = time.time()
        self.at(self.begun)
        self.environment = {
            **os.environ, "DATA": self.data, "LISTEN_PORT": str(self.port), "ADMIN_PORT": str(self.admin),
            "SHOP_PORT": str(self.shop.port), "NETWORK_PORT": str(self.network.port),
            "LD_PRELOAD": glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0], "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": self.offset_file, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.config = os.path.join(HERE, "proxy.yaml")
        suite.start("refgate", [self.refgate, "--config", self.config, "run"], self.admin, self.environment)
        # It listens before its ledger is made.
        wait_until("refgate is well", self.is_well, 30)
        # What is sent while the clock runs ahead of its leases would be taken for lost.
        self.tool("pause", "aspire", "--reason", "the clock is about to jump")

    def is_well(self):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/healthz" % self.admin, timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False

    def tool(self, *words):
        done = subprocess.run([self.refgate, "--config", self.config, *words], env=self.environment, capture_output=True, text=True,
                              timeout=60, check=False)
        if done.returncode:
            raise RuntimeError("%s: %s%s" % (" ".join(words), done.stdout, done.stderr))
        return done.stdout

    # -- the clock

    def now(self):
        return time.time() + self.offset

    def at(self, moment):
        """The clock reads `moment`, or more: it never goes back."""
        offset = moment - time.time()
        if offset <= self.offset:
            return
        self.offset = offset
        with open(self.offset_file + ".new", "w", encoding="ascii") as file:
            file.write("%+.3f" % offset)
        os.rename(self.offset_file + ".new", self.offset_file)

    # -- the shop's bytes

    def compare(self, method, answer):
        """What the shopper got is what the shop said, but for what refgate adds for him."""
        self.asked += 1
        status, fields, body = self.shop.said
        names = OWN | (CACHING | {"content-length"} if self.is_ours(answer) else set())
        said = [(name.lower(), self.plain(value)) for name, value in fields if name.lower() not in names]
        got = [(name.lower(), self.plain(value)) for name, value in answer.fields if name.lower() not in names]
        cookies = [value for value in answer.all("set-cookie") if "refgate" not in value.partition("=")[0]]
        same_cookies = cookies == [value for name, value in fields if name == "Set-Cookie"]
        plain = FIELD.sub(b"", TOKEN.sub(b"", answer.body))
        if (status, said, body) != (answer.status, got, plain) or not same_cookies:
            self.differs.append("%s %s: %r for %r" % (method, answer.url, (answer.status, got, answer.body), (status, said, body)))

    @staticmethod
    def token(answer):
        found = re.search(r"[?&]refgate=([A-Za-z0-9_\-+/=%.]+)", answer.body.decode())
        return found.group(1) if found else None

    @staticmethod
    def number(answer):
        found = re.search(rb"id=order-number>(\d+)<", answer.body)
        if not found:
            raise RuntimeError("no confirmation at %s: %d %r" % (answer.url, answer.status, answer.body[:200]))
        return found.group(1).decode()

    @staticmethod
    def json(answer):
        return json.loads(answer.body)

    @staticmethod
    def plain(value):
        return TOKEN.sub(b"", value.encode("latin-1")).decode("latin-1")

    @staticmethod
    def is_ours(answer):
        """Whether it is for this shopper alone, as it has a cookie of refgate's, or may have links with a token."""
        own = any("refgate" in value.partition("=")[0] for value in answer.all("set-cookie"))
        return own or answer.get("expires") == "Thu, 01 Jan 1970 00:00:00 GMT"

    # -- what became of it

    def settle(self):
        """Now the network is told of all that is due."""
        due = self.database().execute("SELECT count(*) FROM postbacks WHERE state = 'due'").fetchone()[0]
        self.tool("go", "aspire")
        left = lambda: self.database().execute(  # noqa: E731
            "SELECT count(*) FROM postbacks WHERE state IN ('due', 'sending')").fetchone()[0]
        wait_until("the network is told of %d orders" % due, lambda: not left(), 60)
        return due

    def database(self):
        return sqlite3.connect("file:%s?mode=ro" % os.path.join(self.data, "refgate.db"), timeout=10, uri=True)

    def orders(self):
        """Every order as it stands: number, namespace, standing, doubt, the affiliate that it is owed to, why."""
        sql = "SELECT number, namespace, standing, doubt, json_extract(click, '$.values.affiliate_id'), why FROM orders ORDER BY id"
        return self.database().execute(sql).fetchall()
