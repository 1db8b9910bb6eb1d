"""What must be true of every order when all is over."""
import glob
import json
import os
from collections import Counter

from ledgers import LATE, ORDERS, TOLD
from networks import CONCLUSIVE, NOT_TAKEN, YES
from stages import STAGES

ENDS = {"accepted", "rejected", "unclear", "duplicate"}


def second_calls(chaos, order):
    """Each call with the one after it."""
    calls = chaos.networks.of.get(order.id, [])
    return [(one, other) for one, other in zip(calls, calls[1:])]


# A call that the dead had sent is read by the network a little later, on a machine that has much to do.
READ_LATE = 5


def unexplained(chaos, repeats):
    """Repeats after a plain answer for which no kill of whoever had called is left: each explains one of an order."""
    used, left = set(), []
    for order, one, other in repeats:
        between = ((at, order.id) for at, replica in chaos.kills
                   if replica == one.replica and one.at - READ_LATE <= at <= other.at)
        kill = next((kill for kill in between if kill not in used), None)
        used.add(kill)
        if kill is None:
            left.append((order.id, one.manner))
    return left


def mixed_up(chaos, order, told):
    """Whatever of this order's is another one's."""
    calls = chaos.networks.of.get(order.id, [])
    wrong = [vars(call) for call in calls if (call.affiliate, call.amount, call.network)
             != (str(order.affiliate), order.amount, order.network)]
    for _id, network, _state, amount, captured in told:
        values = [str(order.affiliate)]
        if (network, str(amount), list(json.loads(captured).values())) != (order.network, order.amount, values):
            wrong.append((order.id, network, amount, captured))
    return wrong


def contradicted(calls, state):
    """Whether the network would say otherwise."""
    said = {call.manner for call in calls if call.answered}
    return (state == "accepted" and not said & YES) or (state == "rejected" and "reject" not in said) \
        or (state == "duplicate" and len(calls) < 2)


async def claim_all(chaos):
    claim, told = chaos.suite.claim, {}
    for row in await chaos.ledger.ask(TOLD):
        told.setdefault(row[0], []).append(row)
    delivered = [order for order in chaos.orders.values() if order.delivered]
    states = {order.id: [row[2] for row in told.get(order.id, [])] for order in chaos.orders.values()}
    ends = Counter(state for order in delivered for state in states[order.id] or ["missing"])
    claim("%d orders were delivered whole, of %d; their ends: %s" % (len(delivered), len(chaos.orders), dict(ends)),
          len(delivered) > len(chaos.orders) * 0.8, len(delivered))
    missing = [order.id for order in delivered if not set(states[order.id]) & ENDS]
    claim("missing: 0", not missing, missing)
    several = [order for order, rows in told.items() if len(rows) != 1 or order not in chaos.orders]
    rows = (await chaos.ledger.ask(ORDERS))[0][0]
    claim("every order is one order with one postback", not several and int(rows) == len(told), (several, rows))

    strange = set(chaos.networks.of) - set(chaos.orders)
    claim("no network is told of what nobody bought", not strange, strange)
    pairs = [(order, one, other) for order in chaos.orders.values() for one, other in second_calls(chaos, order)]
    twice = [(order.id, one.manner, other.manner) for order, one, other in pairs
             if order.network == "aspire" and not (one.manner in NOT_TAKEN and one.answered)]
    claim("dedupe: none: told twice: 0", not twice, twice)
    repeats = [(order, one, other) for order, one, other in pairs
               if order.network == "unique" and one.manner in CONCLUSIVE - NOT_TAKEN and one.answered]
    left = unexplained(chaos, repeats)
    late = {row[0] for row in await chaos.ledger.ask(LATE)} & {order for order, _manner in left}
    claim("dedupe: order: told again after a plain answer: %d times, each by a kill of its own (but %d, whose answer came "
          "too late)" % (len(repeats), len(late)), {order for order, _manner in left} <= late, left)
    claim("mixed up: 0", not (wrong := [fault for order in chaos.orders.values()
                                        for fault in mixed_up(chaos, order, told.get(order.id, []))]), wrong)
    lies = [(order, rows[0][2], [call.manner for call in chaos.networks.of.get(order, [])])
            for order, rows in told.items() if contradicted(chaos.networks.of.get(order, []), rows[0][2])]
    claim("accepted, rejected and duplicate are what the network said", not lies, lies)

    manners = Counter(call.manner for call in chaos.networks.calls)
    print("        %d calls: %s" % (len(chaos.networks.calls), dict(manners)))
    print("        %d kills: %s" % (len(chaos.kills), dict(chaos.hit)))
    for stage, words in STAGES.items():
        claim("killed while %s: %d times" % (words, chaos.hit[stage]), chaos.hit[stage] > 0)
    left = [file for replica in chaos.replicas.values() for file in chaos.spool(replica)]
    claim("no spool holds an order", not left, left)
    claim_logs(chaos)
    claim("the suite itself had no fault", not chaos.shoppers.wrong, chaos.shoppers.wrong[:5])


def claim_logs(chaos):
    """What says that an order may be lost, or that a page went out early, stands in no log."""
    bad = ("order only logged", "the page went out", "it is lost", "panicked", "cannot be read")
    # A shopper who goes away, or a shop's page that the kill broke off, is no delivered order.
    found = []
    for path in sorted(glob.glob(os.path.join(chaos.suite.workdir, "refgate-*.log"))):
        with open(path, encoding="utf-8", errors="replace") as file:
            found += [line.strip()[:300] for line in file if any(words in line for words in bad)]
    chaos.suite.claim("no log tells of an order that may be lost", not found, found[:5])
