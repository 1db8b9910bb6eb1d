"""What refgate costs on top of passing on: a visit's cookie, a watched page, many hosts and rules."""
import itertools

import load
import measure
import report
import scenarios
from instructions import WATCHED, under_callgrind
from load import Work

ONE = Work("/1k", connections=1)
SIZES = ((10, 10), (1000, 1000))  # hosts and rules
HOSTS_A_STORE = 10
orders = itertools.count(1_000_000, 1_000_000)  # no run sees another's order numbers


def tables(bench):
    """CPU and instructions of each kind of request, as ratios to the same request without attribution."""
    return [in_time(bench), in_instructions(bench)]


def in_time(bench):
    refgate = {"refgate": bench.chosen["refgate"]}
    with scenarios.Group(bench.site, refgate) as group:
        running, cookie = group.running["refgate"], group.cookie
        folder, port, seconds = bench.suite.workdir, running.port, max(1, round(bench.seconds))

        def kept(path, cookie, count):
            return lambda: load.h2load(port, Work(path), count, cookie) and count

        runs = {
            "32 KiB passed on": kept("/32k", None, 8000),
            "32 KiB passed on, visit": kept("/32k", cookie, 8000),
            "32 KiB watched, order known": kept(WATCHED, cookie, 1500),
            "32 KiB watched, new order": lambda: load.wrk(
                port, "/checkout/thank-you/", next(orders), folder, seconds, cookie),
        }
        found = {name: [] for name in runs}
        for at in range(bench.rounds + 1):
            for name in sorted(runs, reverse=at % 2 == 1):
                before = measure.cpu(running.pid)
                count = runs[name]()
                if at > 0:  # the first round warms up
                    found[name].append(((measure.cpu(running.pid) - before) / count / 1000, None))
    table = report.Table("Attribution on top, CPU of refgate per request, µs", ["request", "µs", "ratio", "range"])
    for name in runs:
        middle, low, high = report.paired(found, name, "32 KiB passed on")
        table.add(name, report.number(report.middle(found[name])), "%.2f" % middle, "%.2f–%.2f" % (low, high))
    return table


def in_instructions(bench):
    group, counter = under_callgrind(bench.site, bench.chosen["refgate"], False, "attribution")
    with group:
        pid, port, cookie = group.running["refgate"].pid, group.running["refgate"].port, group.cookie

        def same(path, cookie=None):
            return lambda count: load.h2load(port, Work(path, connections=1), count, cookie)

        def new(count):
            first = next(orders)
            paths = ["/checkout/thank-you/%d" % (first + at) for at in range(count)]
            load.h2load(port, ONE, count, cookie, paths=paths)

        runs = {
            "1 KiB passed on": (same("/1k"), 500, 0),
            "1 KiB passed on, visit": (same("/1k", cookie), 500, 0),
            "32 KiB passed on": (same("/32k"), 500, 2),
            "32 KiB watched, order known": (same(WATCHED, cookie), 50, 2),
            "32 KiB watched, new order": (new, 50, 2),
        }
        found = []
        for work, many, _base in runs.values():
            work(many // 10)
            found.append(counter.each(pid, work, many // 10, many))
    table = report.Table("Attribution on top, instructions of refgate's own code per request",
                         ["request", "instructions", "ratio"])
    for (name, (_work, _many, base)), each in zip(runs.items(), found):
        table.add(name, report.number(each, 0), "%.2f" % (each / found[base]))
    return table


def scaling(bench):
    """Instructions per request with few hosts and rules and with many."""
    table = report.Table("Hosts and rules, instructions of refgate's own code per request (ratio to the first row)",
                         ["hosts, rules", "1 KiB", "ratio", "1 KiB, visit", "ratio", "32 KiB watched, known", "ratio"])
    first = None
    for hosts, rules in SIZES:
        name = "{:,}, {:,}".format(hosts, rules)
        group, counter = under_callgrind(bench.site, bench.chosen["refgate"], False, "scaling-%d-%d" % (hosts, rules),
                                         lines=lambda port, hosts=hosts, rules=rules: many(hosts, rules, port))
        with group:
            if group.refused:
                bench.notes.append("refgate does not start with %s: %s" % (name, group.refused["refgate"]))
                continue
            running, row = group.running["refgate"], []
            for path, cookie, most in (("/1k", None, 500), ("/1k", group.cookie, 500), (WATCHED, group.cookie, 50)):
                def work(count, path=path, cookie=cookie):
                    load.h2load(running.port, Work(path, connections=1), count, cookie)
                work(most // 10)
                row.append(counter.each(running.pid, work, most // 10, most))
        first = first or row
        cells = [(report.number(each, 0), "%.3f" % (each / base)) for each, base in zip(row, first)]
        table.add(name, *itertools.chain.from_iterable(cells))
    return [table]


def many(hosts, rules, port):
    """Stores with so many further hosts and rules for every store, as lines for refgate's configuration."""
    stores = []
    for at in range(hosts // HOSTS_A_STORE):
        names = ", ".join("h%d.localhost" % (at * HOSTS_A_STORE + one) for one in range(HOSTS_A_STORE))
        stores.append('  s%d: { hosts: [%s], scheme: http, upstream: "http://127.0.0.1:%d", currency: USD, '
                      'number_format: "1,234.56", max_amount: 5000, consent: not_needed, checkout: /checkout }' % (at, names, port))
    lines = ['  - { name: r%d, when: { method: GET, path: "/checkout/done-%d/{order_id}", content_type: text/html }, '
             'read: { order_id: { path: order_id }, a: { css: "#a" } }, then: order, amount: a }' % (at, at)
             for at in range(rules - 1)]  # the template has one
    return {"STORES": "\n".join(stores), "RULES": "\n".join(lines)}
