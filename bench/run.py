"""refgate side by side with other proxies on the same work. How, and what was found: bench/README.md."""
import argparse
import datetime
import os
import platform
import shutil
import subprocess
import tempfile

import attribution
import hand_over
import peers
import report
import scenarios
from instructions import per_request, under_callgrind
from load import Failed, Work
from suite import Suite

COUNTED = ("syscalls", "instructions", "idle", "attribution", "hand-over", "scaling")
IDLE = 10_000
# What instructions are counted for, one connection and one request at a time.
COUNTED_WORK = {
    "h1-1k": Work("/1k", "h1", False, 1),
    "h1-1k-browser": Work("/1k", "h1", False, 1, browser=True),
    "h1-32k": Work("/32k", "h1", False, 1),
    "h1-new": Work("/1k", "new", False, 1),
    "tls-h1-1k": Work("/1k", "h1", True, 1),
    "tls-h2-1k": Work("/1k", "h2", True, 1),
    "tls-h2-32k": Work("/32k", "h2", True, 1),
    "tls-new": Work("/1k", "new", True, 1),
}


class Bench:
    def __init__(self, suite, arguments):
        self.suite, self.site = suite, peers.Site(suite)
        self.rounds, self.seconds = arguments.rounds, arguments.seconds
        scenarios.make_pages(suite.workdir)
        known = peers.all_peers()
        asked = [name for name in known if name == "refgate" or name in arguments.peers.split(",")]
        self.chosen = {name: known[name] for name in asked if known[name].found()}
        self.missing = [name for name in asked if name not in self.chosen]
        for name in self.missing:
            print("%s is not installed: skipped" % name)
        self.peers = [name for name in self.chosen if name != "refgate"]
        self.everywhere = {name: peer for name, peer in self.chosen.items() if peer.only is None}
        self.ours = ["refgate", scenarios.VISIT]
        self.notes = []

    def group(self, name):
        tls, workers, cores, shop_cores = scenarios.GROUPS[name]
        mine = {key for key, (group, _work) in scenarios.CPU.items() if group == name}
        chosen = {key: peer for key, peer in self.chosen.items() if peer.only is None or peer.only in mine}
        group = scenarios.Group(self.site, chosen, tls, workers, cores, shop_cores)
        for path in scenarios.LENGTHS:
            group.same(path)
        for refused, words in group.refused.items():
            self.notes.append("%s does not start with `%s`: %s" % (refused, name, words))
        return group

    def timed(self, wanted):
        """CPU per request and, if wanted, system calls: the two share their proxies."""
        times, calls = {}, {}  # {scenario: {contender: …}}
        for name in scenarios.GROUPS:
            mine = [key for key, (group, _work) in scenarios.CPU.items() if group == name]
            counted = mine if "syscalls" in wanted and name != "two" else []
            if not any(key in wanted for key in mine) and not counted:
                continue
            with self.group(name) as group:
                for key in mine:
                    if key in wanted:
                        print("measuring %s" % key, flush=True)
                        times[key] = scenarios.compare(group, key, self.rounds, self.seconds, self.failed(key))
                    if key in counted:
                        calls[key] = scenarios.syscalls(group, key, self.failed("system calls, " + key))
        tables = report.cpu_tables(times, self.peers, self.ours) if times else []
        if calls:
            tables += report.count_tables("System calls per request", calls, self.peers, self.ours, 1)
        return tables

    def failed(self, what):
        """What is done with a contender that does not do its work: the others go on."""
        return lambda name, words: self.suite.claim("%s is measured for %s" % (name, what), False, words)

    def instructions(self):
        found = {key: {} for key in COUNTED_WORK}
        for name, peer in self.everywhere.items():
            for tls in (False, True):
                print("counting instructions of %s%s" % (name, " over TLS" if tls else ""), flush=True)
                group, counter = under_callgrind(self.site, peer, tls, "%s-%d" % (name, tls))
                with group:
                    for key, work in COUNTED_WORK.items():
                        if work.tls == tls and name in group.running:
                            found[key].update(self.counted(group, counter, key, work))
                if group.refused:
                    self.notes.append("%s does not start under callgrind%s: %s" % (
                        name, " with TLS" if tls else "", group.refused[name][:200]))
        return report.count_tables("Instructions of the proxy's own code per request (callgrind)", found,
                                   [name for name in self.peers if name in self.everywhere], self.ours, 0)

    def counted(self, group, counter, key, work):
        found = {}
        for name, (running, cookie) in group.contenders(key).items():
            try:
                found[name] = per_request(group, counter, running.name, work, cookie)
            except Failed as error:
                self.failed("instructions, " + key)(name, str(error))
        return found

    def idle(self):
        found = {}
        for name, peer in self.everywhere.items():
            print("holding idle connections on %s" % name, flush=True)
            found[name] = scenarios.idle(self.site, peer, IDLE)
        held = " ".join(sorted({"{:,}".format(one[1]) for one in found.values() if one}))
        table = report.Table("Memory per idle connection, bytes (growth of Pss over %s connections, one request each)"
                             % held, ["proxy", "bytes", "more than nginx"])
        for name, one in found.items():
            more = one[0] - found["nginx"][0] if one and found.get("nginx") else None
            table.add(name, number(one and one[0]), number(more))
        return [table]


def number(value):
    return report.number(value, 0)


def conditions(bench):
    """Date, machine and versions: without them a number says nothing."""
    with open("/proc/cpuinfo") as file:
        cpu = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "-C", peers.HERE, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL).stdout.strip()
    versions = ", ".join("%s %s" % (name, peer.version()) for name, peer in bench.chosen.items())
    return "%s; %d × %s; Linux %s; %s (commit %s); %d rounds of %s s" % (
        datetime.date.today(), os.cpu_count(), cpu, platform.release(), versions, commit, bench.rounds, bench.seconds)


def shown(tables):
    """Prints tables as soon as they are there: a run that is cut short has told what it found."""
    for table in tables:
        print(table.text(), flush=True)
    return tables


def parse():
    everything = list(scenarios.CPU) + list(COUNTED)
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1, help="of load a proxy, in each round")
    parser.add_argument("--peers", default="nginx,haproxy,haproxy-splice,caddy,envoy")
    parser.add_argument("--only", nargs="+", default=everything, choices=everything, metavar="SCENARIO",
                        help="of: " + " ".join(everything))
    parser.add_argument("--markdown", action="store_true", help="ends with the tables as they stand in bench/README.md")
    return parser.parse_args()


def main():
    arguments = parse()
    contenders = arguments.peers.count(",") + 3
    limit = 1800 + len(scenarios.CPU) * (arguments.rounds + 4) * contenders * (arguments.seconds + 2)
    folder = tempfile.mkdtemp(prefix="refgate-bench-")
    with Suite("the bench", folder, int(limit)) as suite:
        bench = Bench(suite, arguments)
        tables = shown(bench.timed(arguments.only))
        for name, measured in (("instructions", bench.instructions), ("idle", bench.idle),
                               ("attribution", lambda: attribution.tables(bench)),
                               ("hand-over", lambda: hand_over.tables(bench)),
                               ("scaling", lambda: attribution.scaling(bench))):
            if name in arguments.only:
                tables += shown(measured())
        print("\n" + conditions(bench))
        for note in bench.notes:
            print("- " + note)
        if arguments.markdown:
            for table in tables:
                print(table.markdown())
        print()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
