#!/usr/bin/env python3
"""CPU per request, refgate against nginx, as the median of paired ratios.

Both proxies run at once, on core 1; wrk and the shop on core 0. Rounds are interleaved and change their order,
since other work on the machine moves a single number by up to 2x: only the ratio means something, and one below
10 % is noise. CPU is what the scheduler counted for the whole process tree, kernel work included.
usage: run.py [--rounds N] [--seconds N] [SCENARIO…]   environment: REFGATE, the binary
"""
import argparse
import http.client
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "lib"))
from suite import Suite, free_port  # noqa: E402

CONFIG = os.path.join(HERE, "..", "tests", "lib", "proxy.yaml")
HOST = "shop.localhost"
CONNECTIONS = 32
# name: (path, with a visit's cookie). A path with %d gets a number of its own on each request.
SCENARIOS = {
    "1 KiB": ("/1k", False),
    "1 KiB, visit": ("/1k", True),
    "32 KiB": ("/32k", False),
    "32 KiB, visit": ("/32k", True),
    "confirmation, seen": ("/checkout/thank-you/1000", True),
    "confirmation, new": ("/checkout/thank-you/%d", False),
}
LUA = """
local prefix, from = "%s", %d
request = function()
  from = from + 1
  return wrk.format("GET", prefix .. from)
end
"""

# Of a usual size, about 32 KiB, the amount at its end.
CONFIRMATION = (
    "<!doctype html><html><head><title>Thank you</title></head><body><h1>Thank you for your order</h1><ul>"
    + "<li class=item><a href=/p/1>A thing that one buys</a> <span class=price>$12.00</span></li>\n" * 340
    + "</ul><table id=totals><tr class=subtotal><th>Subtotal</th><td>$1,249.95</td></tr></table></body></html>")


class Bench:
    def __init__(self, suite, seconds):
        self.suite, self.seconds = suite, seconds
        self.folder, self.orders = suite.workdir, 1_000_000
        shop, nginx, refgate = free_port(), free_port(), free_port()
        self.ports = {"nginx": nginx, "refgate": refgate}
        self.pages()
        self.suite.start("shop", pinned(0, self.nginx("shop.conf", SHOP_PORT=shop)), shop)
        binary = os.environ.get("REFGATE") or os.path.join(HERE, "..", "target", "release", "refgate")
        self.programs = {
            "nginx": suite.start("nginx", pinned(1, self.nginx("nginx.conf", SHOP_PORT=shop, NGINX_PORT=nginx)), nginx),
            "refgate": suite.start(
                "refgate", pinned(1, [os.path.abspath(binary), "run", "--config", CONFIG]),
                refgate, {"LISTEN_PORT": str(refgate), "ADMIN_PORT": str(free_port()), "SHOP_PORT": str(shop),
                          "NETWORK_PORT": str(shop), "DATA": self.folder}),
        }
        self.cookie = self.visit()

    def pages(self):
        os.makedirs(os.path.join(self.folder, "pages"), mode=0o755)
        os.chmod(self.folder, 0o755)  # nginx's worker is another user
        texts = {"1k": ("<p>refgate</p>\n" * 100)[:1024], "32k": ("<p>refgate</p>\n" * 3000)[:32768],
                 "confirmation": CONFIRMATION}
        for name, text in texts.items():
            with open(os.path.join(self.folder, "pages", name + ".html"), "w") as file:
                file.write(text)

    def nginx(self, name, **values):
        with open(os.path.join(HERE, name)) as file:
            text = file.read()
        for key, value in values.items():
            text = text.replace("@%s@" % key, str(value))
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return ["/usr/sbin/nginx", "-p", self.folder, "-e", path + ".log", "-c", path]

    def get(self, name, path, cookie=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=10)
        connection.request("GET", path, headers={"Host": HOST, **({"Cookie": cookie} if cookie else {})})
        answer = connection.getresponse()
        return answer, answer.read()

    def visit(self):
        answer, _body = self.get("refgate", "/1k?affiliate_id=123456")
        return answer.headers["Set-Cookie"].partition(";")[0]

    def same(self, path):
        """Both proxies must answer the same, or the comparison says nothing."""
        path = path.replace("%d", "999")
        bodies = {name: self.get(name, path)[1] for name in self.ports}
        self.suite.claim("both answer %s with the same %d bytes" % (path, len(bodies["nginx"])),
                         bodies["nginx"] == bodies["refgate"])

    def load(self, name, path, cookie):
        """One run of wrk; returns (CPU microseconds per request, requests per second)."""
        command = ["wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % self.seconds, "-H", "Host: " + HOST]
        if cookie:
            command += ["-H", "Cookie: " + self.cookie]
        if "%d" in path:
            script = os.path.join(self.folder, "new.lua")
            with open(script, "w") as file:
                file.write(LUA % (path.replace("%d", ""), self.orders))
            self.orders += 1_000_000
            command += ["-s", script]
            path = path.replace("%d", "1")
        before = cpu(self.programs[name].pid)
        out = subprocess.run(pinned(0, command + ["http://127.0.0.1:%d%s" % (self.ports[name], path)]), check=True,
                             stdout=subprocess.PIPE, text=True, timeout=self.seconds + 30).stdout
        used = cpu(self.programs[name].pid) - before
        if "Non-2xx" in out or "Socket errors" in out:
            raise RuntimeError("%s, %s:\n%s" % (name, path, out))
        requests = int(re.search(r"(\d+) requests in", out).group(1))
        return used / requests / 1000, float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))

    def scenario(self, path, cookie, rounds):
        """Rounds of both; returns {proxy: [(cpu, rate)]}."""
        found = {name: [] for name in self.ports}
        for at in range(rounds + 1):
            for name in sorted(found, reverse=at % 2 == 1):
                numbers = self.load(name, path, cookie)
                if at > 0:  # the first round warms up
                    found[name].append(numbers)
        return found


def pinned(core, command):
    return ["taskset", "-c", str(core)] + command if os.cpu_count() > 1 else command


def cpu(root):
    """Nanoseconds on a core of the process and its descendants so far."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    total, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as file:
                total += int(file.read().split()[0])
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("scenario", nargs="*", help="of: " + "; ".join(SCENARIOS))
    arguments = parser.parse_args()
    chosen = {name: SCENARIOS[name] for name in arguments.scenario or SCENARIOS}
    limit = 60 + len(chosen) * (arguments.rounds + 1) * 2 * (arguments.seconds + 2)
    folder = tempfile.mkdtemp(prefix="refgate-bench-")
    with Suite("the bench", folder, limit) as suite:
        bench = Bench(suite, arguments.seconds)
        for path, _cookie in chosen.values():
            bench.same(path)
        print("\n%-20s %10s %10s %7s %13s %12s %12s"
              % ("CPU per request", "nginx us", "refgate us", "ratio", "range", "nginx req/s", "refgate"))
        for name, (path, cookie) in chosen.items():
            found = bench.scenario(path, cookie, arguments.rounds)
            ratios = [ours / theirs for (ours, _r), (theirs, _s) in zip(found["refgate"], found["nginx"])]
            middle = {proxy: [statistics.median(column) for column in zip(*numbers)] for proxy, numbers in found.items()}
            print("%-20s %10.1f %10.1f %7.2f %6.2f-%-6.2f %12.0f %12.0f"
                  % (name, middle["nginx"][0], middle["refgate"][0], statistics.median(ratios), min(ratios),
                     max(ratios), middle["nginx"][1], middle["refgate"][1]), flush=True)
        print()
        for program in ("refgate", "nginx"):
            suite.claim("%s still runs" % program, bench.programs[program].poll() is None)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
