"""How what was measured is shown: tables, for a terminal or as Markdown."""
import statistics


class Table:
    """A title, a head and rows; the first column is a name, the others are numbers or None for what is not there."""

    def __init__(self, title, head):
        self.title, self.head, self.rows = title, head, []

    def add(self, name, *values):
        self.rows.append([name] + ["-" if value is None else value for value in values])

    def text(self):
        lines = [self.head] + self.rows
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.head))]
        shown = ["  ".join([line[0].ljust(widths[0])] + [word.rjust(width) for word, width in zip(line[1:], widths[1:])])
                 for line in lines]
        return "\n".join(["", self.title] + shown)

    def markdown(self):
        lines = [self.head, ["---"] + ["--:"] * (len(self.head) - 1)] + self.rows
        return "\n".join(["", self.title, ""] + ["| %s |" % " | ".join(line) for line in lines])


def number(value, digits=1):
    """A value as text; None stays None."""
    if value is None:
        return None
    return "%.*f" % (digits, value) if digits else "{:,}".format(round(value)).replace(",", " ")


def middle(rounds):
    """The median CPU of a contender's rounds."""
    return statistics.median(cpu for cpu, _rate in rounds) if rounds else None


def paired(found, ours, theirs):
    """The median of two contenders' paired ratios, with the lowest and the highest; None where one is missing."""
    if not found.get(ours) or not found.get(theirs):
        return None
    pairs = [a / b for (a, _r), (b, _s) in zip(found[ours], found[theirs])]
    return statistics.median(pairs), min(pairs), max(pairs)


def cpu_tables(results, peers, ours):
    """Two tables of {scenario: {contender: rounds}}: microseconds of each, and ratios of `ours` to each peer."""
    times = Table("CPU per request, µs (medians; one run's columns may be compared, two runs' may not)",
                  ["scenario"] + peers + ours)
    ratios = Table("CPU per request, ratio of refgate to each peer (medians of paired ratios; below 1 refgate wins)",
                   ["scenario"] + peers + ["best peer", "ratio to it", "range"] + ["%s to it" % name for name in ours[1:]])
    for scenario, found in results.items():
        times.add(scenario, *[number(middle(found.get(name))) for name in peers + ours])
        there = [name for name in peers if found.get(name)]
        best = min(there, key=lambda name: middle(found[name])) if there else None
        to_best = [paired(found, name, best) for name in ours]
        first = to_best[0]
        ratios.add(scenario, *[ratio(paired(found, ours[0], name)) for name in peers], best, ratio(first),
                   first and "%.2f–%.2f" % first[1:], *[ratio(one) for one in to_best[1:]])
    return [times, ratios]


def ratio(found):
    return found and "%.2f" % found[0]


def count_tables(title, results, peers, ours, digits):
    """One table of {scenario: {contender: number}}, with refgate's ratio to the best peer."""
    table = Table(title, ["scenario"] + peers + ours + ["refgate to the best"])
    for scenario, found in results.items():
        there = [found[name] for name in peers if found.get(name)]
        best = min(there) if there else None
        table.add(scenario, *[number(found.get(name), digits) for name in peers + ours],
                  "%.2f" % (found[ours[0]] / best) if best and found.get(ours[0]) else None)
    return [table]
