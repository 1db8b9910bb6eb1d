"""What is compared: the scenarios, the rounds of each, and what else is counted of every proxy."""
import http.client
import os
import time

import load
import measure
from load import LENGTHS, Failed, Work
from peers import DoesNotStart, Running

# CPU per request: name → (group of proxies started together, the work).
CPU = {
    "h1-1k": ("plain", Work("/1k")),
    "h1-1k-browser": ("plain", Work("/1k", browser=True)),
    "h1-32k": ("plain", Work("/32k")),
    "h1-1m": ("plain", Work("/1m", connections=8)),
    "h1-new": ("plain", Work("/1k", "new", connections=16)),
    "tls-h1-1k": ("tls", Work("/1k", "h1", True)),
    "tls-h2-1k": ("tls", Work("/1k", "h2", True, 8, 4)),
    "tls-h2-32k": ("tls", Work("/32k", "h2", True, 8, 4)),
    "tls-new": ("tls", Work("/1k", "new", True, 16)),
    "h1-1k-2w": ("two", Work("/1k")),
}
# Group → how its proxies are started: with TLS, workers, cores of the proxy, cores of load and shop.
GROUPS = {"plain": (False, 1, "1", "0"), "tls": (True, 1, "1", "0"), "two": (False, 2, None, None)}
SETTLED = 15  # seconds that connections stay idle before their memory is looked at
VISIT = "refgate+visit"  # refgate with a visit's cookie on every request

# Of a usual size, about 32 KiB, the amount at its end.
CONFIRMATION = (
    "<!doctype html><html><head><title>Thank you</title></head><body><h1>Thank you for your order</h1><ul>"
    + "<li class=item><a href=/p/1>A thing that one buys</a> <span class=price>$12.00</span></li>\n" * 340
    + "</ul><table id=totals><tr class=subtotal><th>Subtotal</th><td>$1,249.95</td></tr></table></body></html>")


def make_pages(folder):
    os.makedirs(os.path.join(folder, "pages"))
    texts = {path[1:]: ("<p>refgate</p>\n" * (length // 15 + 1))[:length] for path, length in LENGTHS.items()}
    for name, text in {**texts, "confirmation": CONFIRMATION}.items():
        with open(os.path.join(folder, "pages", name + ".html"), "w") as file:
            file.write(text)


class Group:
    """Proxies that run at once, on the same shop. `refused` says which did not start, and what they said."""

    def __init__(self, site, chosen, tls=False, workers=1, cores="1", shop_cores="0", **more):
        self.site, self.cores, self.refused, self.running = site, shop_cores, {}, {}
        self.shop = site.open_shop(shop_cores)
        for name, peer in chosen.items():
            try:
                self.running[name] = Running(site, peer, tls, workers, cores, **more)
            except (DoesNotStart, TimeoutError) as refusal:
                self.refused[name] = str(refusal)
                print("%s does not start with it: %s" % (name, refusal), flush=True)
        self.cookie = self.visit()

    def visit(self):
        """A cookie that refgate makes for a click and a step of the checkout; None where refgate does not run or answer."""
        if "refgate" not in self.running:
            return None
        try:
            answer, _body = load.get(self.running["refgate"], "/1k?affiliate_id=123456")
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
            answer, _body = load.get(self.running["refgate"], "/checkout", cookie)
            return answer.headers["Set-Cookie"].partition(";")[0]
        except (OSError, http.client.HTTPException, AttributeError) as error:
            self.leave_out("refgate", "it gives no cookie for a click: %r" % error)
            return None

    def leave_out(self, name, why):
        self.refused[name] = why
        self.running.pop(name).stop()

    def contenders(self, scenario):
        """name → (proxy, cookie): refgate stands in it twice."""
        found = {name: (running, None) for name, running in self.running.items()
                 if running.peer.only in (None, scenario)}
        if self.cookie and "refgate" in self.running:
            found[VISIT] = (self.running["refgate"], self.cookie)
        return found

    def same(self, path):
        """All proxies must answer the same, or the comparison says nothing."""
        with open(os.path.join(self.site.folder, "pages", path[1:] + ".html"), "rb") as file:
            page = file.read()
        for name, running in list(self.running.items()):
            try:
                answer, body = load.get(running, path)
                found = "%d and %d bytes" % (answer.status, len(body))
                right = answer.status == 200 and body == page
            except (OSError, http.client.HTTPException) as error:
                found, right = repr(error), False
            if not self.site.suite.claim("%s answers %s with the shop's %d bytes" % (name, path, len(page)), right, found):
                self.leave_out(name, "it answers %s with %s" % (path, found))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        for name, running in self.running.items():
            self.site.suite.claim("%s still runs" % name, running.program.poll() is None)
            running.stop()
        self.site.suite.stop(self.shop)


def run_load(running, work, count, cookie, cores):
    """One run of exactly `count` requests; returns requests per second."""
    if work.protocol == "new":
        return load.connections(running.port, work, count, running.site.certificate, cookie, cores)
    return load.h2load(running.port, work, count, cookie, cores)


def compare(group, scenario, rounds, seconds, failed):
    """Interleaved rounds of every contender in changing order; returns {contender: [(CPU us, requests/s)]}. One that
    does not do its work is told to `failed` with its words, and left out."""
    contenders, work = group.contenders(scenario), CPU[scenario][1]
    counts, found = {}, {name: [] for name in contenders}

    def run(name, count):
        running, cookie = contenders[name]
        try:
            before = measure.cpu(running.pid)
            rate = run_load(running, work, count, cookie, group.cores)
            return (measure.cpu(running.pid) - before) / count / 1000, rate
        except Failed as error:
            failed(name, str(error))
            del contenders[name]
            found[name] = []
            return None

    warm = 64 if work.path == "/1m" or work.protocol == "new" else 1000
    for name in list(contenders):  # warms up, and says how many requests fill a round
        cold = run(name, warm)
        got = cold and run(name, max(warm, min(20_000, int(cold[1] / 4))))
        counts[name] = got and max(warm, min(200_000, int(got[1] * seconds)))
    for at in range(rounds):
        names = list(contenders)
        turn = names[at % len(names):] + names[:at % len(names)] if names else []
        for name in turn if at % 2 == 0 else reversed(turn):
            numbers = run(name, counts[name])
            if numbers:
                found[name].append(numbers)
    return found


def syscalls(group, scenario, failed):
    """System calls per request of every contender, connections' opening included."""
    work = CPU[scenario][1]
    found, count = {}, 300 if work.path == "/1m" else 3000
    for name, (running, cookie) in group.contenders(scenario).items():
        try:
            run_load(running, work, count // 6, cookie, group.cores)
            calls = measure.syscalls(running.pid, lambda: run_load(running, work, count, cookie, group.cores))
            found[name] = calls / count
        except (Failed, TimeoutError, RuntimeError) as error:
            failed(name, str(error))
    return found


def idle(site, peer, wanted):
    """Bytes per idle connection of one proxy, freshly started, as the growth of its Pss; and how many it held."""
    with Group(site, {peer.name: peer}) as group:
        if peer.name not in group.running:
            return None
        running = group.running[peer.name]
        load.hold(running.port, "/1k", 50).clear()
        time.sleep(1)
        before = measure.memory(running.pid)
        held = load.hold(running.port, "/1k", wanted)
        time.sleep(SETTLED)
        grown = measure.memory(running.pid) - before
        for one in held:
            one.close()
        return grown / len(held), len(held)
