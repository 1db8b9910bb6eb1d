"""Where the instructions of a request go: callgrind's counts by address, with the names of the binary's own symbols
(valgrind reads none from a binary that lld has linked)."""
import bisect
import collections
import re
import subprocess
import sys

SHOWN = 40


def symbols(program):
    """Addresses in order, and their names."""
    out = subprocess.run(["nm", "-C", "--defined-only", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    words = (line.split(" ", 2) for line in out.splitlines())
    found = sorted((int(word[0], 16), re.sub(r"::h[0-9a-f]{16}$", "", word[2])) for word in words
                   if len(word) == 3 and word[1] in "tTwW")
    return [address for address, _name in found], [name for _address, name in found]


def costs(path, program):
    """Instructions by (object, address) of one dump, calls not included in their caller."""
    found, objects = collections.Counter(), {}
    name, address, inclusive = "", 0, False
    with open(path) as file:
        for line in file:
            if named := re.match(r"(c?ob)=\((\d+)\)(?: (.*))?", line):
                kind, number, text = named.groups()
                if text:
                    objects[number] = text
                name = objects[number] if kind == "ob" else name
            elif line.startswith("calls="):
                inclusive = True  # the next line is what the callee cost
            elif cost := re.match(r"(0x[0-9a-f]+|[+-]\d+|\*) \S+ (\d+)$", line):
                word = cost.group(1)
                address = int(word, 16) if word[0] == "0" else address + (0 if word == "*" else int(word))
                if not inclusive:
                    found[(name, address if name == program else 0)] += int(cost.group(2))
                inclusive = False
    return found


def show(path, program, requests, out=sys.stdout):
    """Prints the dearest functions of a dump, per request."""
    addresses, names = symbols(program)
    by_name, counts = collections.Counter(), costs(path, program)
    for (where, address), count in counts.items():
        at = bisect.bisect(addresses, address) - 1
        by_name[names[at] if where == program and at >= 0 else where] += count
    total = sum(counts.values())
    print("%9d instructions per request" % (total / requests), file=out)
    for name, count in by_name.most_common(SHOWN):
        print("%9d %5.1f %%  %s" % (count / requests, 100 * count / total, name[:140]), file=out)
