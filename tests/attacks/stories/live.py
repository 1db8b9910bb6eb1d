"""From watching to paying, and back."""
from suite import wait_until


def a_network_in_shadow(scene):
    """Given a network with `mode: shadow`.
    When an order is owed to its click.
    Then its postback is held, and not a byte is sent. The report says what would have been. Another network's is sent."""
    number = scene.visitor().buys("/?shadow_id=5")
    waits = scene.story(number)["postbacks"][0]["postback"]
    scene.suite.equal("its postback is held", (waits["state"], waits["doubt"]), ("held", "shadow"))
    report = scene.does("shadow-report", "--network", "shadow")
    scene.suite.claim("the report has it", "124.50" in report, report)
    honest = scene.honest()
    scene.suite.equal("nothing was sent", scene.calls(number), [])
    return scene.outcome(number) + ", not sent", honest


def a_backlog_when_a_network_goes_live(scene):
    """Given orders from a network's time in shadow.
    When it goes live, by `live_since` and a reload.
    Then their postbacks stay held: no backlog bursts out. An order from then on is credited and told."""
    before = [scene.visitor().buys("/?shadow_id=5") for _one in range(3)]
    scene.later(days=1)
    since = scene.now()
    with open(scene.config, encoding="utf-8") as file:
        text = file.read()
    with open(scene.config, "w", encoding="utf-8") as file:
        file.write(text.replace("mode: shadow", "mode: live\n    live_since: " + since))
    scene.does("reload")
    scene.later(60)
    shopper = scene.visitor()
    honest = scene.credited(shopper, shopper.buys("/?shadow_id=5"), "5", "shadow")
    scene.suite.equal("nothing of the time before was sent", [scene.calls(number) for number in before], [[]] * 3)
    return "; ".join(scene.outcomes(before)) + ", not sent", honest


def a_paused_network(scene):
    """Given a network that the operator pauses, as something looks wrong.
    When an order is owed to it.
    Then it is credited and waits: nothing is sent, without any reload. When he lifts the pause it is sent, once."""
    scene.does("pause", "aspire", "--actor", "anna", "--reason", "a wrong offer id")
    shopper = scene.visitor()
    number = shopper.buys()
    # Another network's lane shows that there was time for it.
    other = scene.visitor()
    scene.credited(other, other.buys("/?echo_id=6"), "6", "echo")
    scene.suite.equal("nothing was sent", scene.calls(number), [])
    outcome = scene.outcome(number) + ", not sent"
    scene.does("go", "aspire", "--actor", "anna")
    return outcome, scene.credited(shopper, number)


def an_order_taken_back_before_it_is_sent(scene):
    """Given a network that takes no reversals, with `send_after: 72h`.
    When an order is sent back by its buyer, and the operator cancels it within that time.
    Then nothing is ever sent. An order that is kept is told after three days."""
    back, kept = scene.visitor(), scene.visitor()
    returned, number = back.buys("/?slow_id=8"), kept.buys("/?slow_id=8")
    scene.does("postbacks", "cancel", "--order", returned, "--actor", "anna", "--reason", "sent back", "--yes")
    scene.later(hours=71)
    scene.suite.equal("nothing was sent yet", scene.calls(number), [])
    scene.later(hours=2)
    honest = scene.credited(kept, number, "8", "slow")
    scene.suite.equal("what was taken back is not sent", scene.calls(returned), [])
    return scene.outcome(returned), honest


def a_run_of_rejections(scene):
    """Given a network that rejects every order with the same words, as its campaign has ended.
    When three orders of different partners were rejected (`pause_after: 3`).
    Then it is paused and the next ones wait, instead of being lost. After the operator has mended it they are told."""
    scene.manners["strict"] = lambda call: b"success=false; err_msg=offer expired;"
    for partner in ("1", "2", "3"):
        shopper = scene.visitor()
        number = shopper.buys("/?strict_id=" + partner)
        scene.credited(shopper, number, partner, "strict")
    wait_until("the network is paused", lambda: "destination_paused" in scene.alarms())
    shopper = scene.visitor()
    number = shopper.buys("/?strict_id=4")
    scene.honest()
    scene.suite.equal("the next one was not sent", scene.calls(number), [])
    outcome = scene.outcome(number) + ", not sent"
    del scene.manners["strict"]
    scene.does("go", "strict", "--actor", "anna")
    return outcome, scene.credited(shopper, number, "4", "strict")


def the_networks_own_pixel_on_the_page(scene):
    """Given a shop whose confirmation still loads the network's own pixel, as before refgate was there.
    When somebody buys.
    Then refgate tells the network once, which is once too many with the pixel: the operator is told that it would be
    counted twice, and by whom. A page that only has a link to the network alarms nobody."""
    pixels = ['<img src="http://127.0.0.1:9/aff_l?offer_id=1" width="1">',
              "<script>new Image().src = '//cdn.tracking.example/t.gif?id=' + 1;</script>"]
    wait_until("no alarm of it stands", lambda: "pixel_on_page" not in scene.alarms())
    shopper = scene.visitor()
    scene.shop.pixel = '<a href="https://tracking.example/">Our partners</a><!-- %s -->' % pixels[0]
    honest = scene.credited(shopper, shopper.buys())
    scene.suite.claim("nobody is alarmed by a link", "pixel_on_page" not in scene.alarms(), scene.alarms)
    outcomes = set()
    for pixel in pixels:
        scene.shop.pixel, shopper = pixel, scene.visitor()
        number = shopper.buys()
        scene.suite.claim("it is on the page", pixel in shopper.thanks.text)
        outcomes.add(scene.credited(shopper, number))
    scene.shop.pixel = ""
    subjects = {alarm["subject"] for alarm in scene.alarms_in_full() if alarm["alarm"] == "pixel_on_page"}
    scene.suite.equal("the operator is told which", subjects, {"us/127.0.0.1", "us/tracking.example"})
    return "; ".join(sorted(outcomes)) + ", alarmed", honest
