#!/usr/bin/env python3
"""How often honest shoppers are held: a thousand of them, simulated, through the front door of a real refgate.

usage: run.py [--seed N] [--shoppers N] [WORKDIR]
environment: REFGATE, the binary (default target/release/refgate)
Each shopper follows an affiliate's link of his own and buys, as `habits.py` says. Between his steps the clock that refgate
reads is set forward (libfaketime), so that weeks pass in a minute; sockets, TLS, HTTP/2 and the ledger are real. In the end
every order is compared with what is known of its shopper. The same seed tells the same stories.
"""
import argparse
import heapq
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "lib"), os.path.join(ROOT, "tests", "conformance")]
import own_venv  # noqa: E402

SEED, SHOPPERS = 20261201, 1000
BOUND = 1.0  # percent of the orders that a cookie could tell of


def main():
    conformance = os.path.join(ROOT, "tests", "conformance", "requirements.txt")
    own_venv.enter(conformance, os.path.join(ROOT, "target", "conformance", "venv"))
    from outcome import Outcome
    from places import Town
    from scene import Scene
    from stories import Shopper, bystander
    from suite import Suite

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workdir", nargs="?", default=os.path.join(ROOT, "target", "journeys"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--shoppers", type=int, default=SHOPPERS)
    options = parser.parse_args()
    print("seed %d, %d shoppers" % (options.seed, options.shoppers), flush=True)
    with Suite("the journeys", options.workdir, limit=220 if options.shoppers <= SHOPPERS else 3600) as suite:
        scene, truths, begun = Scene(suite), {}, time.monotonic()
        town = Town(random.Random(options.seed))
        coming = []  # (when, a number that is nobody else's, story)
        for number in range(options.shoppers):
            chance = random.Random("%d/%d" % (options.seed, number))
            place, when = town.place(), scene.begun + chance.uniform(60, town.evening)
            shopper = Shopper(scene, chance, number, place, truths)
            coming.append((when, len(coming), shopper.story()))
            for neighbour in town.neighbours(scene, place):
                when = scene.begun + chance.uniform(60, town.evening)
                coming.append((when, len(coming), bystander(scene, neighbour, truths, shopper.store, chance)))
        play(scene, coming)
        told = scene.settle()
        outcome = Outcome(scene, truths, told)
        outcome.tell(options.seed)
        print("%d requests in %.0f s" % (scene.asked, time.monotonic() - begun))
        outcome.claim(suite, BOUND if options.shoppers >= SHOPPERS else 100.0)


def play(scene, coming):
    """Whoever's turn it is does what he does next."""
    heapq.heapify(coming)
    while coming:
        when, number, story = heapq.heappop(coming)
        scene.at(when)
        pause = next(story, None)
        if pause is not None:
            heapq.heappush(coming, (max(when, scene.now()) + pause, number, story))


if __name__ == "__main__":
    main()
