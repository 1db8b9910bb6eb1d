"""What is held, until the operator has decided."""
import json

REASON = "rang them up"


def held(scene):
    """An order that is held as unproven, and the number of its postback."""
    order = scene.old_order()
    scene.visitor().looks(order, "?affiliate_id=7")
    return order, scene.story(order)["postbacks"][0]["postback"]["id"]


def on_record(scene, order, verb):
    """Whether the order's history names who did it, and why."""
    text = json.dumps(scene.story(order)["history"])
    scene.suite.claim("%s: who and why is on record" % verb, "anna" in text and REASON in text, text)


def a_hold_that_is_released(scene):
    """Given an order that is held as unproven, which its buyer has really made.
    When the operator releases it.
    Then it is credited and told once, and who released it and why is on record."""
    order, postback = held(scene)
    scene.suite.equal("until then the network knows nothing", scene.calls(order), [])
    scene.does("held", "release", str(postback), "--actor", "anna", "--reason", REASON)
    scene.owe(order, "7", "49.00")
    on_record(scene, order, "released")
    return scene.outcome(order), scene.honest()


def a_hold_that_is_refused(scene):
    """Given an order that is held as unproven, of somebody who tried an address.
    When the operator refuses it; first he is shown what that would do.
    Then it is nobody's for good, and nobody can release it."""
    order, postback = held(scene)
    shown = scene.does("held", "refuse", "--order", order, "--actor", "anna", "--reason", REASON)
    scene.suite.claim("he is shown it, and nothing is done", scene.outcome(order) == "held, unproven", shown)
    scene.does("held", "refuse", "--order", order, "--actor", "anna", "--reason", REASON, "--yes")
    on_record(scene, order, "refused")
    code, said = scene.refgate("held", "release", str(postback), "--actor", "anna", "--reason", REASON)
    scene.suite.claim("it is not held any more", code == 1, said)
    return scene.outcome(order), scene.honest()


def a_hold_that_nobody_looks_at(scene):
    """Given an order that is held, and no rule of the operator's by which a hold ends.
    When a hundred days pass, and its page is opened again.
    Then it is still held, and nothing was sent."""
    order, _postback = held(scene)
    scene.later(days=100)
    scene.visitor().looks(order, "?affiliate_id=7")
    honest = scene.honest()
    scene.suite.equal("the network knows nothing", scene.calls(order), [])
    return scene.outcome(order), honest


def a_hold_that_the_operators_rule_ends(scene):
    """Given the operator's rules that what a blocked partner is owed is refused after 30 days, and that what he holds
    himself is released after two.
    When both times are over, and nobody has looked.
    Then the one is nobody's, and the other is credited and told; both say that it was the rule."""
    blocked, shopper = scene.visitor().buys("/?affiliate_id=666"), scene.visitor()
    number = shopper.buys("/?slow_id=8")
    scene.does("postbacks", "hold", "--order", number, "--actor", "anna", "--reason", REASON, "--yes")
    scene.later(days=31)
    scene.hurry("the rules were looked at", lambda: scene.outcome(blocked) == "nobody's")
    honest = scene.credited(shopper, number, "8", "slow")
    for order in (blocked, number):
        text = json.dumps(scene.story(order)["history"])
        scene.suite.claim("the rule is on record", "refgate" in text and "_after" in text, text)
    return scene.outcome(blocked), honest
