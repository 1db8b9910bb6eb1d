#!/usr/bin/env python3
"""A burst of orders through all of refgate, and what each confirmation page waits for it.

usage: bench/burst.py [--orders 10000] [--seconds 10] [--network-ms 200] [--concurrency 256] [--hold 500] [--limit 180]
environment: REFGATE, the binary (default target/release/refgate)

Every order comes at its own moment, evenly over the seconds, whether those before it are answered or not; beside each
comes the same page at an address that no rule means. What a page takes is counted from its moment. Then the network,
which answers each call after its time, is waited for. Shop, network and load are programs of their own here.
"""
import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from suite import free_port, listens, wait_until  # noqa: E402

PAGE = (b"<!doctype html><html><head><title>Thank you</title></head><body><h1>Thank you for your order</h1>"
        b"<table id=totals><tr class=subtotal><td>$1,249.95</td></tr></table>"
        + b"<p class=item>Fountain pen and ink <span>$14.00</span></p>" * 130 + b"</body></html>")
CONNECTIONS = 256


class Answers(asyncio.Protocol):
    """Answers each request with the same bytes, some time after it."""

    def __init__(self, answer, wait, seen):
        self.answer, self.wait, self.seen, self.data = answer, wait, seen, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        while b"\r\n\r\n" in self.data:
            head, self.data = self.data.split(b"\r\n\r\n", 1)
            if self.seen is not None:
                self.seen.append(head.split(b" ", 2)[1])
            if self.wait:
                asyncio.get_running_loop().call_later(self.wait, self.say)
            else:
                self.say()

    def say(self):
        if not self.transport.is_closing():
            self.transport.write(self.answer)


def answer(body):
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


async def serve(port, body, wait):
    server = await asyncio.get_running_loop().create_server(
        lambda: Answers(answer(body), wait, None), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


async def ask(stream, path, cookie):
    """One request; the head of its answer."""
    reader, writer = stream
    writer.write(b"GET %s HTTP/1.1\r\nHost: shop.localhost\r\nAccept: text/html\r\nSec-Fetch-Dest: document\r\n%s\r\n"
                 % (path.encode(), cookie))
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode("latin-1"))
    length = int(re.search(rb"(?i)content-length: *(\d+)", head).group(1))
    await reader.readexactly(length)
    return head


async def load(port, orders, seconds):
    """Prints what each page took, in microseconds from its own moment on: {"watched": …, "other": …}."""
    free = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    first = await free.get()
    head = await ask(first, "/?affiliate_id=123456", b"")
    cookies = re.findall(rb"(?i)set-cookie: *([^;\r]+)", head)
    cookie = b"Cookie: %s\r\n" % b"; ".join(cookies)
    free.put_nowait(first)
    took = {"watched": [], "other": []}
    begun = time.monotonic()

    async def page(kind, path, moment):
        await asyncio.sleep(max(0.0, moment - time.monotonic()))
        stream = await free.get()
        await ask(stream, path, cookie)
        took[kind].append(int((time.monotonic() - moment) * 1e6))
        free.put_nowait(stream)

    tasks = []
    for number in range(orders):
        moment = begun + seconds * number / orders
        tasks.append(asyncio.create_task(page("watched", "/checkout/thank-you/%d" % (100000000 + number), moment)))
        tasks.append(asyncio.create_task(page("other", "/some/other/page/%d" % (100000000 + number), moment)))
    await asyncio.gather(*tasks)
    print(json.dumps({"seconds": time.monotonic() - begun, **took}))


def metrics(port):
    with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=10) as reply:
        text = reply.read().decode()
    return {name: float(value) for name, value in re.findall(r"^([^#\s]+) (\S+)$", text, re.M)}


def configure(directory, ports, asked):
    with open(os.path.join(ROOT, "tests", "lib", "proxy.yaml"), encoding="utf-8") as file:
        text = file.read()
    for name, value in {**ports, "DATA": directory}.items():
        text = text.replace("${%s}" % name, str(value))
    text = text.replace("    currency: USD\n    answers:", "    currency: USD\n    concurrency: %d\n    answers:"
                        % asked.concurrency)
    text = re.sub(r"(?m)^deliver:.*$", "deliver: { concurrency: %d }" % asked.concurrency, text)
    if "trust_any_view" not in text:  # each order has no checkout of its own here
        text = text.replace("    then: order\n", "    then: order\n    trust_any_view: true\n")
    # One visit buys all of it, from one address.
    text += "\nguard: { ids_per_visit: 0, ids_per_address: 0, buyers_per_address: 0, networks_per_visit: 0 }\n"
    text += "\ntimeouts: { hold: %dms }\n" % asked.hold
    path = os.path.join(directory, "proxy.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def part(sorted_values, thousandths):
    return sorted_values[min(len(sorted_values) - 1, len(sorted_values) * thousandths // 1000)] / 1000


def report(found, before, after, accepted_after, asked):
    for kind in ("watched", "other"):
        values = sorted(found[kind])
        print("%-8s pages: p50 %.1f ms, p99 %.1f ms, most %.1f ms" % (kind, part(values, 500), part(values, 990),
                                                                       values[-1] / 1000))
    grown = lambda name: after.get("refgate_%s_total" % name, 0) - before.get("refgate_%s_total" % name, 0)  # noqa: E731
    print("%d orders in %.1f s; hold %d ms: it ended first for %d of them, %d were spooled"
          % (asked.orders, found["seconds"], asked.hold, grown("hold_ended"), grown("orders_spooled")))
    print("accepted by the network: %d, the last %.1f s after the first order; %d at once, %d ms each: at least %.1f s"
          % (grown("postbacks_accepted"), accepted_after, asked.concurrency, asked.network_ms,
             asked.orders * asked.network_ms / 1000 / asked.concurrency))


def burst(asked):
    refgate = os.path.abspath(os.environ.get("REFGATE", os.path.join(ROOT, "target", "release", "refgate")))
    ports = {name: free_port() for name in ("LISTEN_PORT", "ADMIN_PORT", "SHOP_PORT", "NETWORK_PORT")}
    programs = []
    with tempfile.TemporaryDirectory(prefix="refgate-burst-", dir=asked.directory) as directory:
        try:
            me = [sys.executable, os.path.abspath(__file__)]
            wait = str(asked.network_ms / 1000)
            for words, port in (([*me, "--serve", "shop", "0"], ports["SHOP_PORT"]),
                                ([*me, "--serve", "network", wait], ports["NETWORK_PORT"]),
                                ([refgate, "run", "--config", configure(directory, ports, asked)], ports["LISTEN_PORT"])):
                log = open(os.path.join(directory, "%d.log" % port), "wb")
                words = [*words, str(port)] if "--serve" in words else words
                programs.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
                wait_until("it listens on %d" % port, lambda port=port: listens(port), 60)
            before, begun = metrics(ports["ADMIN_PORT"]), time.monotonic()
            loaded = subprocess.run([*me, "--load", str(ports["LISTEN_PORT"]), str(asked.orders), str(asked.seconds)],
                                    check=True, timeout=asked.limit, stdout=subprocess.PIPE)
            found = json.loads(loaded.stdout)
            done = lambda: metrics(ports["ADMIN_PORT"]).get("refgate_postbacks_accepted_total", 0) >= asked.orders  # noqa: E731
            wait_until("all are accepted", done, asked.limit)
            report(found, before, metrics(ports["ADMIN_PORT"]), time.monotonic() - begun, asked)
        except Exception:
            with open(os.path.join(directory, "%d.log" % ports["LISTEN_PORT"]), encoding="utf-8", errors="replace") as log:
                print(log.read()[-4000:], file=sys.stderr)
            raise
        finally:
            for program in reversed(programs):
                program.terminate()
            for program in programs:
                program.wait(30)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"orders": 10000, "network-ms": 200, "concurrency": 256, "hold": 500, "limit": 180}.items():
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--directory", help="where the ledger is made; default the system's place for such")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--load", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        what, wait, port = asked.serve
        asyncio.run(serve(int(port), PAGE if what == "shop" else b"success=true;", float(wait)))
    elif asked.load:
        port, orders, seconds = asked.load
        asyncio.run(load(int(port), int(orders), float(seconds)))
    else:
        burst(asked)


if __name__ == "__main__":
    main()
