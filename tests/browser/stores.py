#!/usr/bin/env python3
"""One shopper, many stores: Chromium by TLS through refgate, between stores that share no cookie.

usage: stores.py [WORKDIR] [STORY…]   environment: REFGATE, the binary (default target/release/refgate)
A story is the name of its function, or `by WAY`; without any all are told.
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from scene import Scene  # noqa: E402
from stories import ahead, asking, consent, crossing, nothing  # noqa: E402
from suite import Suite  # noqa: E402


def tell(visitor, stories, wanted):
    for story in stories:
        name = story.__doc__ if story.__name__ == "story" else story.__name__
        if wanted and name not in wanted:
            continue
        print("---     %s" % story.__doc__, flush=True)
        visitor.forget()
        begun = time.monotonic()
        try:
            story(visitor)
        except Exception as fault:  # the next story is not to blame
            visitor.suite.claim("the story is told to its end", False, "%s: %s" % (type(fault).__name__, fault))
        print("        %.1f s" % (time.monotonic() - begun), flush=True)


def main():
    workdir = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target", "stores"))
    wanted = set(sys.argv[2:])
    with Suite("the stores", workdir, limit=240) as suite:
        scene = Scene(suite, os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate"))
        plain, asks = scene.gate("plain"), scene.gate("asks", lifetime="1m", ask="us")
        with asks.visitor(asking.BLOCKED) as blocked:
            tell(blocked, [asking.without_cookies], wanted)
        with asks.visitor() as visitor:
            tell(visitor, [*asking.STORIES, nothing.aged], wanted)
        asking.given_up.since = time.monotonic()
        with plain.visitor() as visitor:
            print("        Chromium %s" % visitor.version)
            tell(visitor, [*crossing.STORIES, *consent.STORIES, *ahead.STORIES, *nothing.STORIES], wanted)
        with asks.visitor() as visitor:
            tell(visitor, [nothing.expired], wanted)
        with asks.visitor(asking.BLOCKED) as blocked:
            tell(blocked, [asking.given_up], wanted)
        if not wanted:
            nothing.the_shop_saw(scene)
        nothing.the_network_heard(scene)


if __name__ == "__main__":
    main()
