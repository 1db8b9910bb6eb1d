"""Whose an order's id is: several stores on one shop, and a copy of the ledger."""
import os

from suite import free_port


def an_order_shown_by_another_store(scene):
    """Given two stores on one shop, which so has one row of order numbers.
    When an order of the one is opened at the other, over another affiliate's link and after a checkout step there.
    Then it is the same order: it stays the buyer's affiliate's, and is told once."""
    buyer, cheat = scene.visitor(), scene.visitor("store-ca")
    number = buyer.buys("/?affiliate_id=111")
    outcome = scene.credited(buyer, number, "111")
    cheat.clicks("/?affiliate_id=222")
    scene.later(60)
    cheat.fills()
    scene.later(60)
    cheat.looks(number)
    scene.suite.equal("the order's click is the buyer's", scene.partner(number), "111")
    return "stays " + scene.outcome(number), outcome


def staging_with_a_copy_of_the_ledger(scene):
    """Given a copy of the shop's ledger on another machine, where postbacks may be due in it.
    When a configuration of another name is run on it.
    Then it does not start, and nothing is sent. The shop's own configuration is let in."""
    copy = os.path.join(scene.data, "copy.db")
    scene.does("ledger", "backup", copy)
    onto = lambda text: text.replace("${DATA}/refgate.db", copy).replace("${DATA}/spool", "${DATA}/copied")  # noqa: E731
    staging = scene.configured("staging.yaml", lambda text: onto(text).replace("name: attacks", "name: staging"))
    own = scene.configured("own.yaml", onto)
    port = str(free_port())
    code, said = scene.refgate("run", config=staging, LISTEN_PORT=port, ADMIN_PORT="0")
    scene.suite.claim("it says whose it is", "attacks" in said and "staging" in said, said)
    taken = scene.starts(own, LISTEN_PORT=port, ADMIN_PORT="0")
    return "refused" if code else "taken", "taken" if taken else "refused"
