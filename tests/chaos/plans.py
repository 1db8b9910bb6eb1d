"""When to kill: at any time, or at a moment that is watched for.

A plan has some shoppers come, kills one replica and returns the scene; where its moment does not come, it kills all the
same, and what it hit is said by the ledger.
"""
import asyncio

from stages import GROUP

PATIENCE = 6


async def any_time(chaos, target, share):
    chaos.release(share)
    await asyncio.sleep(chaos.dice.uniform(0, 0.6))
    return chaos.kill(target)


def at(moment, late=0.0, block=False):
    """At a moment of one of the orders, or up to `late` seconds after it; with `block` the ledger takes nothing from
    then on, so that what follows cannot be kept."""
    async def plan(chaos, target, share):
        killed, taken, after = asyncio.Event(), [], chaos.dice.randrange(max(1, share // 2))

        async def trap(reached, _what, replica):
            if reached != moment or killed.is_set() or replica is None or not chaos.replicas[replica].up:
                return
            taken.append(replica)
            if len(taken) != after + 1:
                return
            if block:
                await chaos.ledger.block(replica)
                asyncio.get_running_loop().call_later(0.08, killed.set)
                return
            if late:
                await asyncio.sleep(chaos.dice.uniform(0, late))
            if not killed.is_set():
                plan.scene = chaos.kill(chaos.replicas[replica])
                killed.set()

        plan.scene, chaos.trap = None, trap
        chaos.release(share)
        await within(killed.wait())
        killed.set()
        return plan.scene or chaos.kill(chaos.replicas[taken[-1]] if taken and block else target)
    return plan


async def group(chaos, target, share):
    """Many pages come to their end together."""
    ready, go, count = asyncio.Event(), asyncio.Event(), 0

    async def trap(moment, _order, _replica):
        nonlocal count
        if moment == "page" and not go.is_set():
            count += 1
            if count >= min(2 * GROUP, share):
                ready.set()
            await within(go.wait())

    chaos.trap = trap
    chaos.release(share)
    await within(ready.wait())
    go.set()
    await asyncio.sleep(chaos.dice.uniform(0, 0.03))
    return chaos.kill(target)


async def between(chaos, target, _share):
    await chaos.quiet(45)
    return chaos.kill(target)


def when(what):
    """When the ledger has done something of which refgate does not know yet."""
    async def plan(chaos, target, share):
        looking = asyncio.create_task(getattr(chaos.ledger, what)(target.name, PATIENCE))
        await asyncio.sleep(0.05)
        chaos.release(share)
        await within(looking)
        return chaos.kill(target)
    return plan


async def refused(chaos, target, share):
    await chaos.networks.refuse()
    chaos.release(share)
    await asyncio.sleep(chaos.dice.uniform(0.4, 0.9))
    return chaos.kill(target)


async def standing_still(chaos, target, share):
    await chaos.networks.stand_still()
    chaos.release(share)
    await asyncio.sleep(chaos.dice.uniform(0.3, 0.6))
    return chaos.kill(target)


async def spooled(chaos, target, share):
    """The ledger is away for longer than a page waits."""
    await chaos.ledger.away(target.name)
    chaos.release(share)
    for _look in range(100 * PATIENCE):
        if chaos.spool(target):
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(chaos.dice.uniform(0, 0.1))
    return chaos.kill(target)


async def starting(chaos, target, share):
    chaos.release(share // 2)
    await asyncio.sleep(0.1)
    await chaos.stop(target)
    chaos.spawn(target)
    await asyncio.sleep(chaos.dice.uniform(0, chaos.longest * 0.7))
    scene = chaos.kill(target)
    chaos.release(share - share // 2)
    return scene


async def stopping(chaos, target, share):
    chaos.release(share)
    await asyncio.sleep(chaos.dice.uniform(0.05, 0.3))
    target.up, target.stopping = False, True
    target.program.terminate()
    await asyncio.sleep(chaos.dice.uniform(0, 0.02))
    return chaos.kill(target)


async def migrating(chaos, target, _share):
    await chaos.ledger.migrating(target.name, lambda: chaos.spawn(target))
    return chaos.kill(target)


async def within(waiting):
    try:
        await asyncio.wait_for(waiting, PATIENCE)
    except TimeoutError:
        pass


PLANS = {
    "any time": any_time,
    "in the middle of a page": at("page"),
    "when the shop has sent its last byte": at("last byte", late=0.004),
    "when the page is read and the ledger is blocked": at("page", block=True),
    "when many pages end at once": group,
    "when a shopper has the last byte": at("delivered"),
    "when an order is committed": when("entered"),
    "when a postback is claimed": when("claimed"),
    "when an attempt is committed": when("begun"),
    "when the network stands still": standing_still,
    "when the network has a call": at("call"),
    "when the network has answered": at("answered"),
    "when the network answers and the ledger is blocked": at("call", block=True),
    "when the network refuses connections": refused,
    "when orders are in the spool": spooled,
    "when it starts": starting,
    "when it ends": stopping,
    "when nothing is under way": between,
}

# By which plan a stage is hit that no kill has hit yet.
AIMS = {
    "starting": "when it starts",
    "stopping": "when it ends",
    "page": "in the middle of a page",
    "held": "when the page is read and the ledger is blocked",
    "group": "when many pages end at once",
    "committed": "when many pages end at once",
    "spooled": "when orders are in the spool",
    "due": "when a shopper has the last byte",
    "claimed": "when a postback is claimed",
    "begun": "when the network stands still",
    "called": "when the network has a call",
    "answered": "when the network answers and the ledger is blocked",
    "repeat": "when the network refuses connections",
    "between": "when nothing is under way",
}
AGAIN = 4
