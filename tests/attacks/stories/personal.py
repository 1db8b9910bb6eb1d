"""What is nobody's business but the shopper's."""
import glob
import os

MARK, CARD = "Zq7-the-shopper-s-own-words", "4111111111111111"


def a_rule_that_reads_a_card(scene):
    """Given a rule that would read a card's number, its security code, or a password.
    When `refgate check` reads it.
    Then it is refused, by name. The same rule without it is taken."""
    fields = ["card_number: { css: '.card' }", "x: { css: '#cvv' }", "x: { regex: 'password=(.*)' }",
              "x: { json: $.payment.ccNumber }"]
    outcomes = set()
    for at, field in enumerate(fields):
        path = scene.configured("card-%d.yaml" % at, lambda text: text.replace(
            "      order_id: { path: order_id }\n", "      order_id: { path: order_id }\n      %s\n" % field))
        code, said = scene.refgate("check", config=path)
        outcomes.add("refused" if code == 64 else "taken")
        scene.suite.claim("%s: the fault names it" % field, "read" in said, said)
    return "; ".join(outcomes), "refused" if scene.refgate("check")[0] else "taken"


def what_a_shopper_writes(scene):
    """Given a shopper who writes a message at the checkout that the shop prints on the confirmation.
    When refgate logs all that it can (`--log debug`), and the order is kept.
    Then nothing of it stands in the log, in the ledger or in the spool. His order is credited."""
    shopper = scene.visitor()
    number = shopper.buys(gift=MARK, name=MARK, card=CARD)
    scene.suite.claim("it is on the page", MARK in shopper.thanks.text)
    honest = scene.credited(shopper, number)
    logs = [os.path.join(scene.suite.workdir, name + ".log") for name in scene.logs]
    found = []
    for path in [*logs, *glob.glob(scene.data + "/refgate.db*"), *glob.glob(scene.data + "/spool/*.*")]:
        with open(path, "rb") as file:
            text = file.read()
        found += [path for word in (MARK, CARD) if word.encode() in text]
    scene.suite.equal("it stands nowhere", found, [])
    return "kept" if found else "not kept", honest
