#!/usr/bin/env python3
"""Attacks on the credit, each with an honest shopper beside it, as docs/attacks.md lists them.

On the demo's shop, and on django-oscar as tests/shops/oscar installs it. A story is a function: its name is the first
column of the manual's table, and what it returns are the outcomes there.

usage: run.py [WORKDIR] [STORY…]   environment: REFGATE, the binary (default target/release/refgate)
"""
import os
import re
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "tests", "lib"), os.path.join(ROOT, "tests", "shops", "oscar"), HERE]
from demo import Demo  # noqa: E402
from oscar import Oscar  # noqa: E402
from stories import (forged, ids, known, live, organic, personal, proof, real, review, steering, stuffing,  # noqa: E402
                     trying)
from suite import Suite  # noqa: E402

PLACES = {Demo: [proof, known, organic, trying, forged, ids, stuffing, review, live, steering, personal], Oscar: [real]}


def listed():
    """The rows of the manual: {story: (outcome, outcome of the honest shopper)}."""
    with open(os.path.join(ROOT, "docs", "attacks.md"), encoding="utf-8") as file:
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in file if line.startswith("| ")]
    return {row[0]: tuple(row[1:3]) for row in rows if row[0] != "Story"}


def stories_of(modules):
    """Those that have a story to tell say so by its first word."""
    found = [value for module in modules for value in vars(module).values()
             if callable(value) and (value.__doc__ or "").startswith("Given ") and value.__module__ == module.__name__]
    return {story.__name__.replace("_", " "): story for story in found}


def tell(scene, stories, rows):
    for name, story in stories.items():
        print("---     %s" % name, flush=True)
        begun = time.monotonic()
        try:
            outcome = story(scene)
            scene.suite.equal("%s: as the manual says" % name, outcome, rows.get(name))
        except Exception as fault:  # the next story is not to blame
            scene.suite.claim("%s is told to its end" % name, False, "%s: %s" % (type(fault).__name__, fault))
        print("        %.1f s" % (time.monotonic() - begun), flush=True)


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "attacks"))
    wanted = set(sys.argv[2:])
    with Suite("the attacks", workdir, limit=220) as suite:
        rows, stories = listed(), {place: stories_of(modules) for place, modules in PLACES.items()}
        everything = {name: story for told in stories.values() for name, story in told.items()}
        suite.equal("the manual lists these stories, and no others", sorted(rows), sorted(everything))
        lacking = [name for name, story in everything.items() if not re.search(r"\bWhen\b.*\bThen\b", story.__doc__, re.S)]
        suite.equal("each says Given, When and Then", lacking, [])
        for place, told in stories.items():
            told = {name: story for name, story in told.items() if not wanted or name in wanted}
            if told:
                data = tempfile.mkdtemp(prefix="refgate-", dir=workdir)
                scene = place(suite, data)
                tell(scene, told, rows)
                scene.end()
                shutil.rmtree(data)


if __name__ == "__main__":
    main()
