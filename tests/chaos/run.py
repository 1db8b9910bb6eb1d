#!/usr/bin/env python3
"""Chaos: orders of many affiliates over many `kill -9`s, before networks that refuse, hang, reset, lie and repeat.

usage: run.py [--engine sqlite|postgres] [--orders N] [--affiliates M] [--kills K] [--seed S] [--hurry] [WORKDIR]
environment: REFGATE, the binary (default target/release/refgate)

Real processes on real sockets: one on an SQLite file, or three on one PostgreSQL, of which each kill takes one. Some
kills come at any time, the others at a moment that is watched for; what each of them hit is read off the ledger right
after it. `--hurry` ends the leases of the dead at the end by SQL, where they would last for another minute.
"""
import argparse
import asyncio
import glob
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests", "lib")]
import web  # noqa: E402
from claims import claim_all  # noqa: E402
from ledgers import OPEN, Postgres, Row, Sqlite  # noqa: E402
from networks import Networks  # noqa: E402
from plans import AIMS, AGAIN, PLANS, migrating  # noqa: E402
from postgres import Server  # noqa: E402
from shop import Shop  # noqa: E402
from shopper import Order, Shoppers  # noqa: E402
from stages import Scene  # noqa: E402
from suite import Suite, free_port  # noqa: E402


class Replica:
    """One process of refgate, killed and started again on the same ports."""

    def __init__(self, name, number):
        self.name, self.address = name, "127.0.0.%d" % (11 + number)
        self.port, self.admin = free_port(), free_port()
        self.program, self.up, self.stopping, self.starts = None, False, False, 0


class Chaos:
    def __init__(self, suite, ledger, options, data):
        self.suite, self.ledger, self.options, self.data = suite, ledger, options, data
        self.dice = random.Random(options.seed)
        self.replicas = {name: Replica(name, number) for number, name in enumerate(ledger.replicas)}
        ledger.live = lambda: any(one.up for one in self.replicas.values())
        by_address = {one.address: one.name for one in self.replicas.values()}
        self.networks = Networks(options.seed, by_address, self.reached)
        self.orders = {}
        for number in range(options.orders):
            order = Order(number, 1000 + self.dice.randrange(options.affiliates), self.dice)
            self.orders[order.id] = order
        self.waiting = list(self.orders.values())
        self.shop = Shop(self.orders, self.reached)
        self.trap, self.kills, self.hit, self.longest = None, [], Counter(), 0
        self.orphans = set()
        self.refgate = os.environ.get("REFGATE") or os.path.join(ROOT, "target", "release", "refgate")
        with open(os.path.join(HERE, "proxy.yaml"), encoding="utf-8") as file:
            text = file.read().replace("ledger: LEDGER", "ledger: " + ledger.words)
        self.config = os.path.join(data, "proxy.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    async def reached(self, moment, what, replica):
        """Called wherever a plan may watch for a moment."""
        if self.trap:
            await self.trap(moment, what, replica)

    def spool(self, replica):
        return glob.glob(os.path.join(self.data, "spool-" + replica.name, "*.order"))

    def spawn(self, replica):
        environment = {
            "LISTEN_PORT": str(replica.port), "ADMIN_PORT": str(replica.admin), "SHOP_PORT": str(self.shop.port),
            "NETWORK_PORT": str(self.networks.port), "DATA": self.data, "NAME": replica.name,
            "FROM": replica.address, "LEDGER": self.ledger.url(replica.name)}
        replica.starts += 1
        name = "refgate-%s-%03d" % (replica.name, replica.starts)
        replica.program = self.suite.start(name, [self.refgate, "run", "--config", self.config], env=environment)
        replica.stopping = False

    async def start(self, replica):
        """Starts it and waits until it serves."""
        began = time.monotonic()
        self.spawn(replica)
        while not await serves(replica.port):
            self.lives(replica)
            if time.monotonic() - began > 30:
                raise TimeoutError("refgate does not serve")
            await asyncio.sleep(0.005)
        replica.up = True
        self.longest = max(self.longest, time.monotonic() - began)

    def lives(self, replica):
        if replica.program.poll() is not None:
            name = "refgate-%s-%03d" % (replica.name, replica.starts)
            raise RuntimeError("refgate ended by itself:\n" + self.suite.log(name)[-3000:])

    async def stop(self, replica):
        """SIGTERM; the exit status."""
        replica.up, replica.stopping = False, True
        replica.program.terminate()
        return await asyncio.to_thread(replica.program.wait, 40)

    def kill(self, replica):
        """SIGKILL, and what is known at that moment."""
        # One that was told to end may just have done so.
        if not (replica.stopping and replica.program.poll() == 0):
            self.lives(replica)
        replica.program.kill()
        scene = Scene(replica, self.orders, self.shoppers, self.networks, self.spool(replica))
        replica.up = False
        self.kills.append((time.monotonic(), replica.name))
        return scene

    def release(self, count):
        """So many shoppers more."""
        some, self.waiting = self.waiting[:count], self.waiting[count:]
        for order in some:
            self.shoppers.queue.put_nowait(order)

    async def quiet(self, seconds):
        """Waits until nobody buys and nothing is to be sent; whether it came to that."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            buying = self.shoppers.views or not self.shoppers.queue.empty()
            if not buying and not {Row(*row) for row in await self.ledger.ask(OPEN)} - self.orphans:
                return True
            await asyncio.sleep(0.1)
        return False

    async def round(self, name, share):
        """One kill by a plan, and everything up again."""
        self.shoppers.prefer = self.dice.choice(list(self.replicas))
        target = self.replicas[self.shoppers.prefer]
        scene = await (PLANS.get(name) or migrating)(self, target, share)
        self.trap = None
        await asyncio.to_thread(self.replicas[scene.replica].program.wait, 15)
        self.ledger.mend()
        await self.networks.return_()
        stages = await scene.stages(self.ledger, self.orphans)
        self.hit.update(stages.keys())
        print("        kill %3d of %s, %s: %s" % (len(self.kills), scene.replica, name, ", ".join(
            "%s %d" % (stage, len(orders)) if orders else stage for stage, orders in stages.items())), flush=True)
        self.shoppers.prefer = None
        if PLANS.get(name):
            await self.start(self.replicas[scene.replica])

    async def run(self):
        await self.ledger.open()
        await self.networks.open()
        await self.shop.open()
        self.shoppers = Shoppers(self.replicas, self.dice, self.reached)
        for _time in range(3):
            await self.round("when it makes the tables", 0)
        for replica in self.replicas.values():
            if not replica.up:
                await self.start(replica)
        plans = list(PLANS)
        share = max(1, self.options.orders // (self.options.kills + len(plans) // 2))
        # Every plan in turn, and between two of them a kill at any time.
        names = [plans[at // 2 % len(plans)] if at % 2 else "any time" for at in range(self.options.kills)]
        if self.options.kills < 2 * len(plans):
            names = [plans[at % len(plans)] for at in range(self.options.kills)]
        for name in names:
            await self.round(name, share)
        for stage, name in AIMS.items():
            for _try in range(AGAIN):
                if not self.hit[stage]:
                    await self.round(name, share)
        self.release(len(self.waiting))
        await self.shoppers.queue.join()
        if self.options.hurry:
            for replica in self.replicas.values():
                await self.stop(replica)
            await self.ledger.hurry()
            for replica in self.replicas.values():
                await self.start(replica)
        self.orphans.clear()
        over = await self.quiet(240)
        self.suite.claim("every postback comes to an end", over, self.shoppers.queue.qsize())
        ends = [await self.stop(replica) for replica in self.replicas.values()]
        self.suite.equal("refgate ends cleanly at last", ends, [0] * len(ends))
        await claim_all(self)


async def serves(port):
    try:
        await web.get(port, "/")
        return True
    except web.Broken:
        return False


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("workdir", nargs="?", default=os.path.join(ROOT, "target", "chaos"))
    parser.add_argument("--engine", choices=["sqlite", "postgres"], default="sqlite")
    for name, default in (("orders", 600), ("affiliates", 120), ("kills", 20)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--seed", default="%08x" % random.getrandbits(32))
    parser.add_argument("--hurry", action="store_true")
    parser.add_argument("--limit", type=int, default=1500, help="seconds")
    return parser.parse_args()


def main():
    given = options()
    workdir = os.path.abspath(os.path.join(given.workdir, given.engine))
    shutil.rmtree(workdir, ignore_errors=True)
    with Suite("chaos on " + given.engine, workdir, limit=given.limit) as suite:
        print("        seed %s: %d orders, %d affiliates, %d kills" % (
            given.seed, given.orders, given.affiliates, given.kills), flush=True)
        data = tempfile.mkdtemp(prefix="refgate-", dir=workdir)
        server = Server(suite) if given.engine == "postgres" else None
        try:
            chaos = Chaos(suite, Postgres(server) if server else Sqlite(data), given, data)
            asyncio.run(chaos.run())
        finally:
            if server:
                server.end()


if __name__ == "__main__":
    main()
