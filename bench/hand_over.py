"""What hand-over costs on top: refgate with two stores of a group against itself with one, asked for the same."""
import collections
import contextlib
import gzip
import os
import re

import load
import measure
import report
import scenarios
from instructions import TRIES, under_callgrind
from load import BROWSER, Work
from peers import HOST

SISTER = "sister.localhost"
LINKS = 20
OFTEN = 500  # what costs little is counted so often, and the least of several taken: chance only adds to it
ONE, TWO, ASKING = "one store", "two stores", "two stores, ask"  # how refgate is set up
STORE = ('  sister: { hosts: [%s], scheme: http, upstream: "http://127.0.0.1:%d", currency: USD, '
         'number_format: "1,234.56", max_amount: 5000, consent: not_needed }')
LINES = {
    ONE: None,
    TWO: lambda port: {"STORES": STORE % (SISTER, port)},
    ASKING: lambda port: {"STORES": STORE % (SISTER, port), "MORE": "hand_over: { ask: sister }"},
}


def browser(**other):
    """The fields of a browser that opens a page, some of them otherwise or (None) not there."""
    fields = {**BROWSER, **{name.replace("_", "-"): value for name, value in other.items()}}
    return tuple((name, value) for name, value in fields.items() if value)


OPENS = browser()
IMAGE = browser(sec_fetch_dest="image", sec_fetch_mode="no-cors", sec_fetch_user=None, upgrade_insecure_requests=None,
                accept="image/avif,image/webp,image/*,*/*;q=0.8")
FETCH = browser(sec_fetch_dest="empty", sec_fetch_mode="cors", sec_fetch_user=None, upgrade_insecure_requests=None,
                accept="application/json")
OLD = browser(**{name.replace("-", "_"): None for name in BROWSER if name.startswith("sec-")})
ARRIVES = browser(sec_fetch_site="cross-site", referer="http://%s/" % HOST)

# A kind of request. `made` makes path and cookie anew for each run, where a token of the last minute is in them.
Kind = collections.namedtuple("Kind", "path fields visit host status made",
                              defaults=(OPENS, False, HOST, "2xx", None))
# A row: the same, or what comes nearest, without hand-over and with it; and how many of the latter are counted.
Row = collections.namedtuple("Row", "name without what with_it which many")


def same(name, kind, many=OFTEN):
    return Row(name, ONE, kind, TWO, kind, many)


def rows():
    page = Kind("/1k")
    return [
        same("32 KiB page, no visit", Kind("/linked")),
        same("32 KiB page, visit, no link there", Kind("/linkless", visit=True), 100),
        same("32 KiB page, visit, %d links there" % LINKS, Kind("/linked", visit=True), 100),
        same("32 KiB page as gzip, no visit", Kind("/gzip/linked")),
        same("32 KiB page as gzip, visit, %d links there" % LINKS, Kind("/gzip/linked", visit=True), 50),
        same("1 KiB page, visit, no link there", Kind("/1k", visit=True)),
        same("1 KiB for an image, visit", Kind("/1k", IMAGE, True)),
        same("JSON for a script, visit", Kind("/cart", FETCH, True)),
        same("JSON, visit, a browser without Sec-Fetch-Dest", Kind("/cart", OLD, True)),
        same("redirect there, no visit", Kind("/away", status="3xx")),
        same("redirect there, visit", Kind("/away", visit=True, status="3xx")),
        Row("1 KiB page; the same with a token in its address", TWO, Kind("/1k", ARRIVES, host=SISTER),
            TWO, Kind(None, ARRIVES, host=SISTER, made=carried), OFTEN),
        Row("JSON; the same with a token in its address", TWO, Kind("/cart", ARRIVES, host=SISTER),
            TWO, Kind(None, ARRIVES, host=SISTER, made=carried_for_no_page), OFTEN),
        # Before the next one: who is asked about must come back, or nobody is asked any more.
        Row("JSON; with the other store's answer in its address", TWO, Kind("/cart"),
            ASKING, Kind(None, made=answered), OFTEN),
        Row("1 KiB page; instead, the other store is asked", TWO, page, ASKING, Kind("/1k", status="3xx"), OFTEN),
        Row("1 KiB page; instead, the other store answers", TWO, page,
            ASKING, Kind(None, ARRIVES, host=SISTER, status="3xx", made=questioned), OFTEN),
    ]


def carried(running, cookie):
    """The redirect to the other store with a visit's clicks: opened by a browser without its cookie."""
    answer, _body = load.get(running, "/away", cookie, fields=OPENS)
    return target(answer), None


def carried_for_no_page(running, cookie):
    """The same token, for what has no links."""
    path, nothing = carried(running, cookie)
    return path.replace("/1k", "/cart"), nothing


def questioned(running, cookie):
    """A question to the other store, which knows the visitor."""
    answer, _body = load.get(running, "/1k", fields=OPENS)
    return target(answer), cookie


def answered(running, cookie):
    """The way back with the answer to such a question, and the marker cookie."""
    asked, _body = load.get(running, "/cart", fields=OPENS)
    answer, _body = load.get(running, target(asked), cookie, SISTER, ARRIVES)
    return target(answer), asked.headers["Set-Cookie"].partition(";")[0]


def target(answer):
    """Path and query of where an answer leads to, which must be with a token."""
    leads = re.fullmatch(r"http://[^/]+(/\S*[?&]refgate=\S+)", answer.headers["Location"] or "")
    if not leads:
        raise load.Failed("%d to %s: no token" % (answer.status, answer.headers["Location"]))
    return leads.group(1)


def make_pages(folder):
    """A page of 32 KiB with links to the other store, and one without; the former also as gzip."""
    thing = "<li class=item><a href=%s/p/%d>A thing that one buys</a> <span class=price>$12.00</span></li>\n"
    pages = os.path.join(folder, "pages")
    os.makedirs(os.path.join(pages, "gzip"))
    for name, links in (("linkless", 0), ("linked", LINKS)):
        text = "<!doctype html><html><head><title>Things</title></head><body><ul>\n" + "".join(
            thing % ("http://" + SISTER if at < links * 16 and at % 16 == 0 else "", at) for at in range(360))
        text = (text + "</ul>" + "<p>refgate</p>\n" * 1000)[:32 << 10]
        for name in (name, "gzip/" + name):
            with open(os.path.join(pages, name + ".html"), "w") as file:
                file.write(text)
        with gzip.open(os.path.join(pages, name + ".html.gz"), "wt") as file:
            file.write(text)


def addressed(group, kind):
    """Path and cookie of this kind, now."""
    if kind.made:
        return kind.made(group.running["refgate"], group.cookie)
    return kind.path, group.cookie if kind.visit else None


def work_of(group, kind, connections=1):
    """What asks so many times for this kind."""
    def work(count):
        path, cookie = addressed(group, kind)
        load.h2load(group.running["refgate"].port, Work(path, connections=connections), count, cookie, host=kind.host,
                    fields=kind.fields, status=kind.status)
    return work


def tokens(group, kind):
    """How many tokens an answer of this kind carries, in its page or its head."""
    path, cookie = addressed(group, kind)
    answer, body = load.get(group.running["refgate"], path, cookie, kind.host, kind.fields)
    body = gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body
    return body.count(b"?refgate=") + (answer.headers["Location"] or "").count("?refgate=")


def tables(bench):
    """CPU and instructions of each row, with hand-over as a ratio to without."""
    make_pages(bench.site.folder)
    return [in_time(bench), in_instructions(bench)]


def in_instructions(bench):
    """Counted one set-up after the other."""
    found = collections.defaultdict(dict)  # {set-up: {kind: instructions}}
    for setup, lines in LINES.items():
        print("counting instructions of refgate with %s" % setup, flush=True)
        name = "hand-over-" + re.sub(r"\W+", "-", setup)
        group, counter = under_callgrind(bench.site, bench.chosen["refgate"], False, name, lines=lines)
        with group:
            for row in rows():
                for at, kind, many in ((row.without, row.what, OFTEN), (row.with_it, row.which, row.many)):
                    if at == setup and kind not in found[setup]:
                        found[setup][kind] = counted(group, counter, kind, many)
    table = report.Table("Hand-over on top, instructions of refgate's own code per request",
                         ["request", "without", "with", "ratio"])
    for row in rows():
        without, with_it = found[row.without][row.what], found[row.with_it][row.which]
        table.add(row.name, report.number(without, 0), report.number(with_it, 0), "%.2f" % (with_it / without))
    return table


def counted(group, counter, kind, many):
    pid, work = group.running["refgate"].pid, work_of(group, kind)
    work(many // 5)
    return min(counter.each(pid, work, many // 5, many) for _ in range(TRIES if many == OFTEN else 1))


def in_time(bench):
    """All set-ups at once, in turns. Without asking, for what it says lasts a minute only."""
    found, wanted = {}, [row for row in rows() if ASKING not in (row.without, row.with_it)]
    with contextlib.ExitStack() as stack:
        groups = {setup: stack.enter_context(scenarios.Group(bench.site, {"refgate": bench.chosen["refgate"]},
                                                             lines=lines)) for setup, lines in LINES.items()}
        check(bench.suite, groups)
        for row in wanted:
            sides = {"without": (groups[row.without], row.what), "with": (groups[row.with_it], row.which)}
            found[row.name] = {side: [] for side in sides}
            for at in range(bench.rounds + 1):
                for side in sorted(sides, reverse=at % 2 == 1):
                    group, kind = sides[side]
                    pid, count = group.running["refgate"].pid, row.many * 10
                    before = measure.cpu(pid)
                    work_of(group, kind, 32)(count)
                    if at > 0:  # the first round warms up
                        found[row.name][side].append(((measure.cpu(pid) - before) / count / 1000, None))
    table = report.Table("Hand-over on top, CPU of refgate per request, µs",
                         ["request", "without", "with", "ratio", "range"])
    for name, sides in found.items():
        middle, low, high = report.paired(sides, "with", "without")
        table.add(name, *[report.number(report.middle(sides[side])) for side in ("without", "with")],
                  "%.2f" % middle, "%.2f–%.2f" % (low, high))
    return table


def check(suite, groups):
    """Each row measures what it says: so many tokens are in its answers."""
    for row in rows():
        expected = 0
        if row.with_it == ASKING:
            expected = 1 if row.which.status == "3xx" else 0
        elif row.which.visit:
            expected = LINKS if row.which.path.endswith("/linked") else int(row.which.path == "/away")
        suite.equal("%s: tokens without hand-over and with it" % row.name,
                    (tokens(groups[row.without], row.what), tokens(groups[row.with_it], row.which)), (0, expected))
