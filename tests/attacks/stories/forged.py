"""What only looks like a confirmation, or says more than the shop was paid."""
from visitor import subtotal

PATHS = ["/checkout%2fthank-you/N", "/checkout%252fthank-you/N", "/checkout/thank-you%2FN", "/checkout//thank-you/N",
         "//checkout/thank-you/N", "/checkout/./thank-you/N", "/x/../checkout/thank-you/N",
         "/checkout/%2e%2e/checkout/thank-you/N", "/checkout/thank-you;v=1/N", "/checkout/thank-you/N;jsessionid=1",
         "/checkout\\thank-you\\N", "/checkout/thank-you/N/", "/checkout/thank-you./N", "/Checkout/Thank-You/N",
         "/checkout/thank-you/%00N"]
OVERRIDES = [{"X_Original_URL": "/checkout/thank-you/N"}, {"X_Rewrite_URL": "/checkout/thank-you/N"}]
METHODS = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]


def at_the_checkout(scene):
    """Somebody with a click and a checkout step: whatever he shows as a confirmation would be credited."""
    return scene.visitor().at_the_checkout("/?affiliate_id=999")


def tried(scene, visitor, ask, count):
    """The outcomes of so many orders, each shown by `ask`."""
    numbers = [scene.old_order() for _one in range(count)]
    for at, number in enumerate(numbers):
        ask(visitor, at, number)
    return "; ".join(sorted(scene.outcomes(numbers)))


def paths_that_can_be_read_in_two_ways(scene):
    """Given a shop that reads paths leniently: it shows a confirmation for `/checkout%2fthank-you/5` too.
    When confirmations are opened by such addresses.
    Then they pass, and make no order. Who opens the page by its own address is credited."""
    def ask(visitor, at, number):
        page = visitor.ask("GET", PATHS[at].replace("N", number))
        shown.append("Thank you for your order" in page.text)
    shown, visitor = [], at_the_checkout(scene)
    outcome = tried(scene, visitor, ask, len(PATHS))
    scene.suite.claim("the shop shows a confirmation by such paths", sum(shown) > len(PATHS) - 2, shown)
    return outcome, scene.honest()


def headers_that_name_another_page(scene):
    """Given a shop that believes `X-Original-URL`, `X-Rewrite-URL` and `X-HTTP-Method-Override`.
    When a harmless page is asked for with such a header, and a confirmation with a method that is overridden.
    Then they pass, and make no order."""
    def ask(visitor, at, number):
        if at < len(OVERRIDES):
            page = visitor.ask("GET", "/", **{name: path.replace("N", number) for name, path in OVERRIDES[at].items()})
        else:
            name = METHODS[at - len(OVERRIDES)].replace("-", "_")
            page = visitor.ask("GET", "/checkout/thank-you/" + number, **{name: "GET"})
        shown.append("Thank you for your order" in page.text)
    shown, visitor = [], at_the_checkout(scene)
    outcome = tried(scene, visitor, ask, len(OVERRIDES) + len(METHODS))
    scene.suite.claim("the shop shows a confirmation all the same", all(shown), shown)
    return outcome, scene.honest()


def an_uploaded_page_that_looks_like_a_confirmation(scene):
    """Given a shop that shows what its customers upload.
    When a confirmation is uploaded and opened after a checkout step.
    Then it makes no order: its address is not the rule's."""
    visitor, number = at_the_checkout(scene), scene.old_order()
    visitor.ask("POST", "/uploads/thanks.html", scene.shop.confirmation(number).encode())
    page = visitor.ask("GET", "/uploads/thanks.html")
    scene.suite.claim("it looks like one", number in page.text and "Thank you for your order" in page.text)
    return scene.outcome(number), scene.honest()


def a_form_that_is_echoed(scene):
    """Given a shop that shows what is posted to the confirmation's address.
    When a confirmation with a high total is posted there.
    Then it makes no order: the rule means GET alone."""
    visitor, number = at_the_checkout(scene), scene.old_order()
    page = visitor.ask("POST", "/checkout/thank-you/" + number, scene.shop.confirmation(number).replace(
        "$49", "$4,999").encode())
    scene.suite.claim("it looks like one", "$4,999" in page.text and "Thank you for your order" in page.text)
    return scene.outcome(number), scene.honest()


def an_error_that_looks_like_a_confirmation(scene):
    """Given a shop whose error pages look like a confirmation.
    When they come with the status 404, 410, 500 or 503.
    Then they make no order."""
    statuses = [404, 410, 500, 503]
    ask = lambda visitor, at, number: visitor.looks(number, "?status=%d" % statuses[at])  # noqa: E731
    return tried(scene, at_the_checkout(scene), ask, len(statuses)), scene.honest()


def a_confirmation_that_nobody_reads(scene):
    """Given a confirmation's address.
    When it is asked for by HEAD, or answered by 304 or in part (206), as to a cache.
    Then that makes no order. A shopper whose browser asks with `If-None-Match` and `Range` gets the whole page, and is
    credited."""
    def ask(visitor, at, number):
        if at == 0:
            visitor.ask("HEAD", "/checkout/thank-you/" + number)
        else:
            visitor.looks(number, "?status=%d" % (304, 206)[at - 1])
    outcome = tried(scene, at_the_checkout(scene), ask, 3)
    shopper, number = at_the_checkout(scene), scene.old_order()
    shopper.thanks = shopper.ask("GET", "/checkout/thank-you/" + number, If_None_Match='"1"', Range="bytes=0-99")
    return outcome, scene.credited(shopper, number, "999")


def a_gift_message_that_imitates_a_total(scene):
    """Given a shop that prints the shopper's gift message on the confirmation, escaped.
    When the message is a table with a total of 4,999 dollars.
    Then the order is credited with the shop's own amount."""
    table = '<table id="totals"><tr class="subtotal"><td>$4,999.00</td></tr></table> Total: $4,999.00'
    visitor = scene.visitor()
    number = visitor.buys(gift=table)
    scene.suite.claim("the message is on the page", "$4,999.00" in visitor.thanks.text)
    outcome = scene.credited(visitor, number)
    shopper = scene.visitor()
    return outcome + ", the shop's amount", scene.credited(shopper, shopper.buys(gift="For Ada, worth $5!"))


def imitated(scene, markups, **paid):
    """Buyers who write such markup before the shop's totals, and behind them; each with his order."""
    buyers = []
    for markup in markups:
        for place in ("above", "raw"):
            visitor = scene.visitor()
            number = visitor.buys(**{place: markup}, **paid)
            scene.suite.claim("%s: it is on the page" % place, markup in visitor.thanks.text)
            buyers.append((visitor, number))
    return buyers


def markup_that_imitates_a_total(scene):
    """Given a shop that prints what its shoppers write as it is.
    When somebody writes a second table of totals, with more or with less, before the shop's own or behind it.
    Then there are two amounts for one field, and the order is held, whichever of the two is read first."""
    markups = ['<table id="totals"><tr class="subtotal"><td>$%s</td></tr></table>' % amount
               for amount in ("4,999.00", "0.01")]
    numbers = [number for _visitor, number in imitated(scene, markups)]
    shopper = scene.visitor()
    honest = scene.credited(shopper, shopper.buys(raw="<b>Happy birthday</b>, all the best for $1"))
    return "; ".join(scene.outcomes(numbers)), honest


def markup_beside_the_total(scene):
    """Given a shop that prints what its shoppers write as it is, and a selector that says where the total stands.
    When somebody writes a total that stands elsewhere: in a table of another name, in a comment, in a script, in a text.
    Then the order is credited with the shop's own amount."""
    row = '<tr class="subtotal"><td>$4,999.00</td></tr>'
    markups = ["<table>%s</table>" % row, '<table class="totals" id="totals-2">%s</table>' % row,
               '<!-- <table id="totals">%s</table> -->' % row, '<script>"<table id=totals>%s</table>"</script>' % row,
               '<textarea><table id="totals">%s</table></textarea>' % row]
    outcomes = {scene.credited(visitor, number) for visitor, number in imitated(scene, markups)}
    return "; ".join(sorted(outcomes)) + ", the shop's amount", scene.honest()


def markup_that_imitates_a_discount_below_zero(scene):
    """Given a shop that prints what its shoppers write as it is, and an order without a discount.
    When somebody writes a discount of minus 4,000 dollars.
    Then it would add to what the affiliate is owed, and the order is held. An order with a coupon is credited."""
    visitor, shopper = scene.visitor(), scene.visitor()
    number = visitor.buys(raw='<table id="totals"><tr class="discount"><td>-$4,000.00</td></tr></table>')
    shopper.at_the_checkout()
    shopper.post("/cart/coupon", {"code": "WELCOME10"})
    return scene.outcome(number), scene.credited(shopper, shopper.pays())


def two_rules_that_read_two_amounts(scene):
    """Given a second rule for the same page, that reads the total with tax and shipping where the address says `both`.
    When a buyer opens his confirmation so.
    Then two amounts were read from one answer, and the order is held."""
    visitor, number = at_the_checkout(scene), scene.old_order()
    visitor.looks(number, "?both=yes")
    return scene.outcome(number), scene.honest()


def an_amount_above_max_amount(scene):
    """Given a store with `max_amount: 5000`.
    When somebody buys for more.
    Then it is held for the operator to look at. What is below it is credited."""
    rich, shopper = scene.visitor(), scene.visitor()
    number = rich.buys(products=["trail-tent"] * 5)
    scene.suite.claim("it is above", float(subtotal(rich.thanks)) > 5000, subtotal(rich.thanks))
    return scene.outcome(number), scene.credited(shopper, shopper.buys(products=["trail-tent"] * 3))


def another_currency(scene):
    """Given a store in US dollars whose shop can be made to show other currencies.
    When the confirmation is shown in pounds or euros.
    Then it is held: the amount would be told as dollars."""
    prices = ["%C2%A349.00", "%E2%82%AC49.00", "CAD+49.00"]
    ask = lambda visitor, at, number: visitor.looks(number, "?price=" + prices[at])  # noqa: E731
    return tried(scene, at_the_checkout(scene), ask, len(prices)), scene.honest()


def nothing_to_pay_for(scene):
    """Given a confirmation whose subtotal is zero, or less.
    When it is opened after a checkout step.
    Then it is held: there is nothing to be paid for."""
    prices = ["$0.00", "-$5.00"]
    ask = lambda visitor, at, number: visitor.looks(number, "?price=" + prices[at])  # noqa: E731
    return tried(scene, at_the_checkout(scene), ask, len(prices)), scene.honest()


def an_amount_that_is_no_number(scene):
    """Given a confirmation whose subtotal is written in another way than the store's.
    When it is opened after a checkout step.
    Then it is held, and not guessed."""
    prices = ["$1.234,56", "$1e9", "$9,99", "nothing"]
    ask = lambda visitor, at, number: visitor.looks(number, "?price=" + prices[at])  # noqa: E731
    outcome = tried(scene, at_the_checkout(scene), ask, len(prices))
    scene.suite.claim("the operator is told", "rule_unreadable" in scene.alarms(), scene.alarms)
    return outcome, scene.honest()
