"""Instructions of refgate's own code per request, held to the numbers in instructions.txt.

refgate runs under callgrind with one worker; one connection asks again and again. A number that grew by more than 5 %
is a fault, one that shrank by more is worth keeping: either way commit new numbers with the reason.
usage: bench/instructions.sh [--write | --profile REQUEST]
"""
import argparse
import os
import re
import shutil
import tempfile

import measure
import peers
import profile_of
import scenarios
from load import Work
from suite import Suite

KEPT = os.path.join(peers.HERE, "instructions.txt")
GROWTH = 1.05
TRIES = 3
WATCHED = "/checkout/thank-you/1000"
# name → (the work, with a visit's cookie). The watched order is entered once and then seen again.
REQUESTS = {
    "h1-1k": (Work("/1k", connections=1), False),
    "h1-1k-visit": (Work("/1k", connections=1), True),
    "h1-1k-browser": (Work("/1k", connections=1, browser=True), False),
    "h1-32k": (Work("/32k", connections=1), False),
    "h1-32k-watched": (Work(WATCHED, connections=1), True),
    "tls-h2-1k": (Work("/1k", "h2", True, 1), False),
}


def under_callgrind(site, peer, tls, name, words=(), **more):
    """A group of this one proxy under callgrind, and its counter."""
    counter = measure.Counter(os.path.join(site.folder, "callgrind-" + name), words)
    return scenarios.Group(site, {peer.name: peer}, tls, wrap=counter.words, single=True, **more), counter


def per_request(group, counter, name, work, cookie=None):
    """Instructions per request of one work; the first requests warm up."""
    running = group.running[name]
    costly = work.path == WATCHED or (work.tls and work.protocol == "new")
    few, many = (10, 50) if costly else (100, 500)
    scenarios.run_load(running, work, few, cookie, "0")
    return counter.each(running.pid, lambda count: scenarios.run_load(running, work, count, cookie, "0"), few, many)


def measured(site, refgate, judge):
    """{request: instructions}, as `judge` makes them out of the name and a function that measures once; what
    refgate does not start with is left out."""
    found = {}
    for tls in (False, True):
        group, counter = under_callgrind(site, refgate, tls, "tls" if tls else "plain")
        with group:
            for name, (work, visit) in REQUESTS.items():
                if work.tls == tls and "refgate" in group.running:
                    cookie = group.cookie if visit else None
                    found[name] = judge(name, lambda: per_request(group, counter, "refgate", work, cookie))
    return found


def profile(site, refgate, name):
    """Prints where the instructions of one kind of request go."""
    work, visit = REQUESTS[name]
    group, counter = under_callgrind(site, refgate, work.tls, "profile", ["--dump-instr=yes"])
    with group:
        if group.refused:
            return
        running, cookie = group.running["refgate"], group.cookie if visit else None
        count = 50 if work.path == WATCHED else 500
        scenarios.run_load(running, work, count // 5, cookie, "0")
        counter.take(running.pid)
        scenarios.run_load(running, work, count, cookie, "0")
        profile_of.show(counter.dump(running.pid), refgate.program, count)


def kept():
    with open(KEPT) as file:
        return {name: int(number) for name, number in re.findall(r"^([\w-]+) +(\d+)$", file.read(), re.M)}


def largest(_name, once):
    """Of several: whether the shop's answer is there at the first look is chance, and worth some 5 %."""
    return max(once() for _ in range(TRIES))


def least(name, once):
    """Of one, or of several where the first is too much."""
    most, number = kept().get(name, float("inf")) * GROWTH, once()
    for _ in range(TRIES - 1):
        number = min(number, once()) if number > most else number
    return number


def write(found):
    with open(KEPT) as file:
        words = "".join(line for line in file if line.startswith("#"))
    with open(KEPT, "w") as file:
        file.write(words + "".join("%-16s %d\n" % (name, round(number)) for name, number in found.items()))


def hold(suite, found):
    """One claim for each number, against those kept."""
    old = kept()
    for name, number in found.items():
        before = old.get(name)
        if before is None:
            suite.claim("%-15s %6.0f: has a number in bench/instructions.txt" % (name, number), False,
                        "it is new: bench/instructions.sh --write, and commit bench/instructions.txt")
            continue
        suite.claim("%-15s %6.0f, was %6d (%+.1f %%)" % (name, number, before, (number / before - 1) * 100),
                    number <= before * GROWTH, WHAT_TO_DO)
        if number * GROWTH < before:
            print("        it shrank: keep that, with bench/instructions.sh --write")
    for name in set(old) - set(found):
        suite.claim("%-15s is measured" % name, False, "it stands in bench/instructions.txt")


def main():
    parser = argparse.ArgumentParser(prog="bench/instructions.sh")
    parser.add_argument("--write", action="store_true", help="renew bench/instructions.txt")
    parser.add_argument("--profile", choices=REQUESTS, help="only show where the instructions of one request go")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="refgate-bench-")
    with Suite("instructions per request", folder, 400 if arguments.write else 230) as suite:
        site, refgate = peers.Site(suite), peers.all_peers()["refgate"]
        scenarios.make_pages(folder)
        if arguments.profile:
            profile(site, refgate, arguments.profile)
        else:
            found = measured(site, refgate, largest if arguments.write else least)
            if arguments.write:
                write(found)
            hold(suite, found)
        shutil.rmtree(folder, ignore_errors=True)


WHAT_TO_DO = ("more than 5 % above the number kept: find out why; if it is worth its price, "
              "bench/instructions.sh --write, and commit bench/instructions.txt with the reason")

if __name__ == "__main__":
    main()
