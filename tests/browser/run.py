#!/usr/bin/env python3
"""Headless Chromium through `refgate demo`: from the affiliate's link to the confirmation.

usage: run.py [WORKDIR]   environment: REFGATE, the binary (default target/release/refgate)
The demo's ports are those of the shipped proxy.yaml.
"""
import os
import re
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from browser import Browser  # noqa: E402
from suite import Suite, free_port, wait_until  # noqa: E402

PORT, HOST, AFFILIATE = 8080, "store-us.localhost", "123456"
SITE = "http://%s:%d" % (HOST, PORT)
WINDOW = 30 * 24 * 3600


def start(suite):
    """The demo, run where a stranger would: in the project's folder."""
    refgate = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
    demo = suite.start("demo", [os.path.abspath(refgate), "demo", "--config", os.path.join(ROOT, "proxy.yaml")], PORT)
    link = wait_until("the demo prints its link", lambda: re.search(
        r"http://\S+affiliate_id=\w+", suite.log("demo")), 20).group(0)
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


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "browser"))
    with Suite("the browser", workdir, limit=120) as suite:
        profile = tempfile.mkdtemp(prefix="chromium-", dir=workdir)
        demo, link = start(suite)
        driver = free_port()
        suite.start("chromedriver", ["chromedriver", "--port=%d" % driver], driver)
        browser = Browser(driver, profile)
        print("        Chromium %s" % browser.version)
        landing(suite, browser, link)
        browser.close()
        shutil.rmtree(profile, ignore_errors=True)


if __name__ == "__main__":
    main()
