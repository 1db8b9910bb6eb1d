"""Whose an order's id is: several stores on one shop, and a copy of the ledger."""
import os

from suite import free_port, wait_until


SPELLINGS = ["00%s", "0000000%s", "+%s", "%%20%s", "%s%%20", "%s%%0a", "%%2b0%s"]


def an_id_spelled_in_other_ways(scene):
    """Given a shop that takes `0042` in an address for 42, and a rule that reads the id from the page.
    When a buyer opens his confirmation by all such addresses, at once and later.
    Then it is one order, told once. Where a rule reads the id from the address, `check` warns of it."""
    buyer = scene.visitor()
    number = buyer.buys()
    honest = scene.credited(buyer, number)
    for _again in range(2):
        shown = [number in buyer.looks(spelling % number).text for spelling in SPELLINGS]
        scene.suite.claim("the shop shows it by each", all(shown), shown)
        scene.later(hours=2)
    scene.suite.equal("there is no other order", {order["key"]["id"] for order in scene.orders()
                                                  if order["key"]["id"].strip("+0 ") == number}, {number})
    code, said = scene.refgate("check")
    scene.suite.claim("a rule that reads it from the address is warned of",
                      code == 0 and "an id from the address: where the shop takes `0042` for `42`" in said, said)
    return "stays " + scene.outcome(number), honest


def an_order_shown_by_another_store(scene):
    """Given two stores on one shop, which so has one row of order numbers.
    When an order of the one is opened at the other, over another affiliate's link and after a checkout step there.
    Then it is the same order: it stays the buyer's affiliate's, and is told once."""
    buyer, cheat = scene.visitor(), scene.visitor("store-ca")
    number = buyer.buys("/?affiliate_id=111")
    outcome = scene.credited(buyer, number, "111")
    cheat.at_the_checkout("/?affiliate_id=222")
    cheat.looks(number)
    scene.suite.equal("the order's click is the buyer's", scene.partner(number), "111")
    return "stays " + scene.outcome(number), outcome


def seen_again(scene, order):
    """Another visit, an hour later, with a click and a checkout step of its own, sees the id with another amount."""
    scene.later(hours=1)
    scene.visitor().at_the_checkout("/?affiliate_id=222").looks(order, "?price=$12.00")
    scene.suite.claim("the operator is told", "id_reused" in scene.alarms(), scene.alarms)


def released(scene, order):
    """The outcome when the operator has found that it is an order of its own."""
    postback = scene.story(order, "demo.aside")["postbacks"][0]["postback"]["id"]
    scene.does("held", "release", str(postback), "--actor", "anna", "--reason", "the shop counts anew")
    try:
        wait_until("the second is told", lambda: len(scene.calls(order)) == 2)
    except TimeoutError:
        pass
    scene.owed[("aspire", order, "222", "12.00")] += 1
    scene.suite.equal("it is told by the shop's id", [call["amount"] for call in scene.calls(order)][1:], ["12.00"])
    return scene.outcome(order, "demo.aside")


def a_known_id_with_another_amount(scene):
    """Given an order that was credited to its buyer's affiliate.
    When another visit sees its id an hour later with another amount, as the shop counts anew or the page was changed.
    Then the first stays as it is, and the second is an order of its own, held aside. The operator who knows the shop
    releases it: then both are paid, each once."""
    buyer, order = scene.visitor().at_the_checkout("/?affiliate_id=111"), scene.old_order()
    scene.credited(buyer, buyer.is_given(order), "111")
    seen_again(scene, order)
    scene.suite.equal("the first stays", (scene.outcome(order), scene.partner(order)), ("credited", "111"))
    return scene.outcome(order, "demo.aside"), released(scene, order)


def an_id_that_was_burnt(scene):
    """Given an id that somebody without cookies has opened before it was anybody's, so that it is a nobody's order.
    When the shop gives it to an honest buyer an hour later.
    Then his order is held aside for the operator, and not lost. Had nobody opened it, it would be credited."""
    order = scene.old_order()
    scene.visitor().looks(order)
    scene.suite.equal("it is burnt", scene.outcome(order), "nobody's")
    seen_again(scene, order)
    return scene.outcome(order, "demo.aside"), scene.honest()


def a_page_that_another_visit_saw_before_its_buyer(scene):
    """Given somebody who opens an order's page over a link before its buyer does, without ever being at the checkout, so
    that he is held as unproven.
    When the buyer, who was at the checkout, sees his confirmation, and reloads it.
    Then he is held beside him, and not lost. The operator who asks the shop releases the one who bought; whoever was
    first cannot be released then."""
    order = scene.old_order()
    cheat, buyer = scene.visitor(), scene.visitor().at_the_checkout("/?affiliate_id=111")
    cheat.clicks("/?affiliate_id=222")
    scene.later(60)
    cheat.looks(order)
    buyer.is_given(order)
    buyer.looks(order)
    first = scene.story(order)["postbacks"][0]["postback"]["id"]
    outcome = scene.outcome(order, "demo.aside")
    scene.suite.equal("the first one is held too", scene.outcome(order), "held, unproven")
    scene.does("held", "release", str(scene.story(order, "demo.aside")["postbacks"][0]["postback"]["id"]), "--actor", "anna",
               "--reason", "the shop has it")
    scene.owe(order, "111", "49.00")
    _code, said = scene.refgate("held", "release", str(first), "--actor", "anna", "--reason", "by mistake")
    scene.suite.claim("the other one cannot be released", "may be the sale that postback" in said, said)
    return outcome, scene.honest()


def an_id_that_was_burnt_with_its_own_amount(scene):
    """Given an order whose page somebody without cookies has opened before its buyer does.
    When the buyer, who came over a link and was at the checkout, sees it with the same amount.
    Then it stays nobody's: it cannot be told from the order of one who came without a link, and whose page is seen by
    somebody who shopped there himself. That one must not be paid."""
    order = scene.old_order()
    buyer = scene.visitor().at_the_checkout()
    scene.visitor().looks(order)
    buyer.is_given(order)
    scene.suite.equal("nothing is held beside it", scene.outcome(order, "demo.aside"), "no order")
    return scene.outcome(order), scene.honest()


def a_confirmation_that_is_passed_on(scene):
    """Given two orders, one that came over a link and one that did not.
    When others open their pages, who came over links of their own and were at the checkout: a friend at once, the buyer
    himself on another device, and by the e-mail days later.
    Then both stay what they are, nothing is held beside them, and nobody is paid for them again."""
    buyer, number, nobodys = scene.visitor(), scene.old_order(), scene.old_order()
    buyer.at_the_checkout("/?affiliate_id=111").is_given(number)
    scene.visitor().is_given(nobodys)
    outcome = scene.credited(buyer, number, "111")
    for wait in ({"minutes": 1}, {"hours": 2}, {"days": 3}):
        scene.later(**wait)
        friend = scene.visitor().at_the_checkout("/?affiliate_id=222")
        for order in (number, nobodys):
            friend.looks(order)
    stand = {one["key"]["namespace"] for one in scene.orders() if one["key"]["id"] in (number, nobodys)}
    scene.suite.equal("nothing stands aside", stand, {"demo"})
    scene.suite.equal("what came without a link is nobody's", scene.outcome(nobodys), "nobody's")
    return "stays " + scene.outcome(number), outcome


def more_orders_of_one_id_than_have_a_place(scene):
    """Given an order that was credited to its buyer's affiliate.
    When ten other visits see its id an hour later with another amount.
    Then nine of them are held aside, each once, and the tenth is no order: the operator is told, urgently, and the log
    has what he needs to enter it by hand."""
    buyer, order = scene.visitor().at_the_checkout("/?affiliate_id=111"), scene.old_order()
    outcome = scene.credited(buyer, buyer.is_given(order), "111")
    scene.later(hours=1)
    for partner in range(301, 311):
        visitor = scene.visitor()
        visitor.clicks("/?affiliate_id=%d" % partner)
        for _reload in range(2):
            visitor.looks(order, "?price=$12.00")
    stand = [one["click"]["values"]["affiliate_id"] for one in scene.orders() if one["key"]["id"] == order]
    scene.suite.equal("the first and nine more stand", sorted(stand), ["111", *map(str, range(301, 310))])
    said = [line for line in scene.log().splitlines() if "order not entered" in line and "demo/" + order in line]
    scene.suite.claim("the log has the tenth", said and all("ERROR" in line and "affiliate_id=310" in line and "12.00"
                                                           in line for line in said), said)
    scene.suite.claim("the operator is told", "id_reused" in scene.alarms(), scene.alarms)
    return "no order" if "310" not in stand else "held", outcome


def staging_with_a_copy_of_the_ledger(scene):
    """Given a copy of the shop's ledger on another machine, where postbacks may be due in it.
    When a configuration of another name is run on it.
    Then it does not start, and nothing is sent. The shop's own configuration is let in."""
    copy = os.path.join(scene.data, "copy.db")
    scene.does("ledger", "backup", copy)
    onto = lambda text: text.replace("${DATA}/refgate.db", copy).replace("${DATA}/spool", "${DATA}/copied")  # noqa: E731
    staging = scene.configured("staging.yaml", lambda text: onto(text).replace("name: attacks", "name: staging"))
    own = scene.configured("own.yaml", onto)
    env = {"LISTEN_PORT": str(free_port()), "ADMIN_PORT": str(free_port())}
    let_in = {path: "taken" if scene.starts(path, **env) else "refused" for path in (own, staging)}
    said = scene.suite.log("another")
    scene.suite.claim("it says whose it is", "attacks" in said and "staging" in said, said)
    return let_in[staging], let_in[own]
