#!/usr/bin/env python3
"""django-oscar behind refgate: ten guest checkouts, and what the network was told.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
The truth is the shop's own database. Between refgate and the shop stands a tap, so that what the shopper got
is compared with what the shop sent.
"""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from decimal import ROUND_HALF_UP, Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from client import Shopper  # noqa: E402
from network import Network  # noqa: E402
from order import CONFIRMATION, buy  # noqa: E402
from same_bytes import ours, same_bytes  # noqa: E402
from suite import Suite, free_port, wait_until  # noqa: E402
from tap import Tap  # noqa: E402

HOST = "shop.localhost"
# What is bought, with which voucher. Oaks are over 1,000 each.
CARTS = [
    ({"lamp": 1}, None),
    ({"oak": 1}, None),
    ({"pen": 3, "notebook": 2}, None),
    ({"lamp": 2}, "TENOFF"),
    ({"oak": 2, "notebook": 1}, "TENOFF"),
    ({"notebook": 7}, None),
    ({"notebook": 7}, "TENOFF"),
    ({"pen": 1}, "TENOFF"),
    ({"lamp": 1, "oak": 1, "pen": 1, "notebook": 1}, None),
    ({"pen": 2, "lamp": 3}, "TENOFF"),
]


class Oscar:
    """The installed shop, and refgate in front of it."""

    def __init__(self, suite):
        self.suite = suite
        self.network = Network()
        self.data = tempfile.mkdtemp(prefix="refgate-", dir=suite.workdir)
        subprocess.run([os.path.join(HERE, "setup.sh"), suite.workdir], check=True, timeout=240,
                       stdin=subprocess.DEVNULL)
        port = free_port()
        suite.start("shop", [os.path.join(HERE, "start.sh"), suite.workdir, str(port)], port)
        self.tap = Tap(port)
        self.front = free_port()
        self.environment = {
            "LISTEN_PORT": str(self.front), "ADMIN_PORT": str(free_port()), "SHOP_PORT": str(self.tap.port),
            "NETWORK_PORT": str(self.network.port), "DATA": self.data}
        self.refgate = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
        self.config = os.path.join(HERE, "proxy.yaml")
        self.program = suite.start("refgate", [self.refgate, "run", "--config", self.config], self.front,
                                   self.environment)

    def shopper(self):
        return Shopper(self.front, HOST)

    def orders(self):
        """What `refgate orders` says, by order number."""
        out = subprocess.run([self.refgate, "orders", "--limit", "1000", "--config", self.config, "--json"],
                             check=True, timeout=30, env={**os.environ, **self.environment}, stdout=subprocess.PIPE,
                             text=True).stdout
        return {order["key"]["id"]: order for order in json.loads(out)}

    def subtotal(self, number):
        """After discounts, before tax and shipping, out of the shop's database; the lines must say the same."""
        database = sqlite3.connect("file:%s/site/db.sqlite3?mode=ro" % self.suite.workdir, uri=True)
        total, shipping, tax, lines = database.execute(
            "select total_excl_tax, shipping_excl_tax, total_incl_tax - total_excl_tax,"
            " (select sum(line_price_excl_tax) from order_order o, order_line l where l.order_id = o.id and o.number = ?1)"
            " from order_order where number = ?1", (number,)).fetchone()
        database.close()
        if not (tax > 0 and shipping > 0):
            raise ValueError("order %s has no tax or no shipping" % number)
        subtotal = cents(total) - cents(shipping)
        if subtotal != cents(lines):
            raise ValueError("order %s: %s by its totals, %s by its lines" % (number, subtotal, lines))
        return subtotal


def cents(number):
    return Decimal(repr(number)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def saved_pages(suite, oscar):
    """`refgate test` reads the saved pages as tests/pages says."""
    folder = os.path.join(ROOT, "tests", "pages", "oscar")
    with open(os.path.join(folder, "expected.json")) as file:
        expected = json.load(file)
    for name, fields in expected.items():
        told = subprocess.run([oscar.refgate, "test", os.path.join(folder, name), "--config", oscar.config, "--host", HOST,
                               "--path", CONFIRMATION], env={**os.environ, **oscar.environment}, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        suite.claim("refgate test reads %s out of %s" % (" and ".join(fields.values()), name),
                    all(value in told for value in fields.values()), told)


def checkouts(suite, oscar):
    """Ten orders of ten visitors; returns the shoppers."""
    bought = []
    for at, (items, voucher) in enumerate(CARTS):
        shopper = oscar.shopper()
        number, _page = buy(shopper, items, str(123456 + at), voucher)
        bought.append((number, str(123456 + at), shopper))
    calls = oscar.network.calls
    wait_until("the network has ten postbacks", lambda: len(calls) >= len(bought), 20)
    right, over = 0, 0
    for number, affiliate, _shopper in bought:
        subtotal = oscar.subtotal(number)
        expected = {"path": "/aff_lsr", "offer_id": "1", "aff_id": affiliate, "amount": str(subtotal),
                    "adv_unique1": number}
        told = [call for call in calls if call.get("adv_unique1") == number]
        right += suite.equal("order %s: the network is told %s for %s, as the shop's database says"
                             % (number, subtotal, affiliate), told, [expected])
        over += subtotal > 1000
    suite.equal("%d of %d orders are right" % (right, len(bought)), right, len(CARTS))
    suite.claim("an order over 1,000 is among them", over > 0)
    return [shopper for _number, _affiliate, shopper in bought]


def reload_page(suite, oscar, shopper):
    before = len(oscar.network.calls)
    pages = [shopper.get(CONFIRMATION) for _again in range(3)]
    suite.claim("a reload shows the order again", all("your order number is" in page.text for page in pages))
    # Postbacks are sent in the order in which they fall due: one more sale shows that nothing was waiting.
    number, _page = buy(oscar.shopper(), {"lamp": 1}, "777")
    wait_until("the network has the sale after the reload", lambda: any(
        call.get("adv_unique1") == number for call in oscar.network.calls), 20)
    suite.equal("a reload makes no second postback", len(oscar.network.calls), before + 1)


def without_affiliate(suite, oscar):
    shopper = oscar.shopper()
    number, _page = buy(shopper, {"oak": 1, "pen": 1})
    order = wait_until("the order without an affiliate is in the ledger", lambda: oscar.orders().get(number), 20)
    suite.claim("an order without an affiliate is organic", order["standing"]["state"] == "organic", order)
    buy(oscar.shopper(), {"lamp": 1}, "778")
    wait_until("the network has the sale after it", lambda: oscar.network.calls[-1].get("aff_id") == "778", 20)
    suite.equal("an order without an affiliate makes no postback",
                [call for call in oscar.network.calls if call.get("adv_unique1") == number], [])
    suite.claim("a visit without a click gets no cookie of refgate's",
                not any(ours(name) for name in shopper.jar), lambda: shopper.jar)
    return shopper


def untouched(suite, oscar, shoppers):
    """What the shop sent and got, against what the shoppers got and sent."""
    cookies = same_bytes(suite, oscar.tap, shoppers)
    suite.claim("quoted and escaped cookies are among them", any(b'\\054' in line for line in cookies), cookies)
    suite.claim("the shop never sees affiliate_id",
                not any(b"affiliate_id" in request["line"] for request, _response in oscar.tap.exchanges()))
    landings = [page for shopper in shoppers for page in shopper.pages if "affiliate_id=" in page.url]
    suite.claim("the cookie is set on the landing's redirect (%d)" % len(landings),
                landings and all(page.status == 302 and sum(ours(line) for line in page.cookies) == 1
                                 for page in landings))


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "shops", "oscar"))
    with Suite("the shop django-oscar", workdir, limit=360) as suite:
        oscar = Oscar(suite)
        all_shoppers = []
        make, oscar.shopper = oscar.shopper, lambda: all_shoppers.append(make()) or all_shoppers[-1]
        saved_pages(suite, oscar)
        bought = checkouts(suite, oscar)
        reload_page(suite, oscar, bought[0])
        without_affiliate(suite, oscar)
        untouched(suite, oscar, all_shoppers)
        suite.equal("refgate ends cleanly on SIGTERM", suite.stop(oscar.program), 0)
        shutil.rmtree(oscar.data)


if __name__ == "__main__":
    main()
