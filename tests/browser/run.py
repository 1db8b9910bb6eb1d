#!/usr/bin/env python3
"""Headless Chromium through `refgate demo`: from the affiliate's link to the confirmation.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
The demo's ports are those of the shipped proxy.yaml.
"""
import http.client
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from browser import Browser  # noqa: E402
from suite import Suite, free_port, wait_until  # noqa: E402

PORT, ADMIN, HOST, AFFILIATE = 8080, 8084, "store-us.localhost", "123456"
WINDOW = 30 * 24 * 3600


def start(suite):
    """The demo, run where a stranger would: in the project's folder."""
    refgate = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
    demo = suite.start("demo", [os.path.abspath(refgate), "demo", "--config", os.path.join(ROOT, "proxy.yaml")], PORT)
    link = wait_until("the demo prints its link", lambda: re.search(
        r"http://%s:\S+affiliate_id=\w+" % re.escape(HOST), suite.log("demo")), 20).group(0)
    return demo, link


def landing(suite, browser, link):
    browser.open(link)
    cookie = browser.cookies().get("refgate")
    if not suite.claim("the affiliate's link %s sets refgate's cookie" % link, cookie, browser.cookies()):
        return
    wanted = {"httpOnly": True, "sameSite": "Lax", "path": "/", "secure": False, "domain": HOST}
    suite.equal("it is HttpOnly, SameSite=Lax, Path=/, of this host only; not Secure, as the demo is http",
                {name: cookie.get(name) for name in wanted}, wanted)
    left = cookie.get("expiry", 0) - time.time()
    suite.claim("it lasts for the window of 30 days", abs(left - WINDOW) < 300, "%d s" % left)
    suite.equal("no script sees it", "refgate" in browser.script("return document.cookie"), False)
    url, status, headers = next(seen for seen in browser.traffic() if "affiliate_id=" in seen[0])
    suite.claim("no shared cache may keep the landing (%s)" % headers.get("cache-control"),
                "private" in headers.get("cache-control", "") or "no-store" in headers.get("cache-control", ""), headers)
    suite.equal("the landing is answered by the shop", (url, status), (link, 200))
    suite.claim("Set-Cookie has no Domain and no Secure",
                not re.search(r";\s*(domain|secure)", headers.get("set-cookie", ""), re.I), headers)


def purchase(suite, browser):
    """From the landing to the confirmation, as a person would; returns (order number, amount due)."""
    def go(button, seen):  # a click may return before its page is there
        browser.click(button)
        wait_until("the shop goes on after %s" % button, seen, 20)

    go("article h2 a", lambda: "/product/" in browser.url)
    suite.claim("the shop's links do not carry the parameter on", "affiliate_id" not in browser.url, browser.url)
    go("button[name=buy]", lambda: browser.url.endswith("/checkout"))
    browser.type("input[name=code]", "WELCOME10")
    go("form[action='/cart/coupon'] button", lambda: browser.has("#totals .discount"))
    go("form[action='/checkout'] button", lambda: browser.has("#order-number"))
    suite.claim("the confirmation is shown", "/checkout/thank-you/" in browser.url, lambda: browser.source)
    subtotal, discount = (Decimal(browser.text("#totals .%s td" % row).lstrip("$").replace(",", ""))
                          for row in ("subtotal", "discount"))
    return browser.text("#order-number"), subtotal - discount


def counters():
    """What the admin listener counts."""
    connection = http.client.HTTPConnection("127.0.0.1", ADMIN, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    return {name: int(value) for name, value in re.findall(r"^refgate_(\w+?)_total (\d+)$", text, re.M)}


def told(suite, browser, number, amount):
    """What the demo printed and refgate counted, before and after a reload."""
    wait_until("the network has accepted the postback", lambda: counters()["postbacks_accepted"] == 1, 20)
    lines = wait_until("the demo prints the postback", lambda: [
        line for line in suite.log("demo").splitlines() if "adv_unique1=" + number in line], 20)
    suite.claim("the demo prints one postback: order %s, %s, affiliate %s" % (number, amount, AFFILIATE),
                len(lines) == 1 and "amount=%s&" % amount in lines[0] and "aff_id=%s&" % AFFILIATE in lines[0], lines)
    browser.reload()
    suite.equal("a reload shows the same order", browser.text("#order-number"), number)
    wait_until("the reload has been read", lambda: counters()["orders_seen_again"] >= 1, 20)
    found = counters()
    suite.equal("one click, one order, one postback, also after the reload",
                {name: found[name] for name in ("clicks_captured", "orders_entered", "postbacks_sent")},
                {"clicks_captured": 1, "orders_entered": 1, "postbacks_sent": 1})


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "browser"))
    with Suite("the browser", workdir, limit=120) as suite:
        profile = tempfile.mkdtemp(prefix="chromium-", dir=workdir)
        demo, link = start(suite)
        driver = free_port()
        suite.start("chromedriver", ["chromedriver", "--port=%d" % driver], driver)
        with Browser(driver, profile) as browser:
            print("        Chromium %s" % browser.version)
            landing(suite, browser, link)
            number, amount = purchase(suite, browser)
            browser.screenshot(os.path.join(workdir, "confirmation.png"))
            told(suite, browser, number, amount)
        demo.send_signal(signal.SIGINT)
        suite.equal("Ctrl-C ends the demo cleanly", demo.wait(20), 0)
        shutil.rmtree(profile, ignore_errors=True)


if __name__ == "__main__":
    main()
