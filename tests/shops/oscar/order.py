#!/usr/bin/env python3
"""One guest checkout on django-oscar, from the affiliate's link (or the front page) to the thank-you page.

usage: order.py PORT [--host NAME] [--affiliate ID] [--item WORD=QUANTITY]... [--voucher CODE]
Prints the order number that the shopper sees.
"""
import argparse
import os
import re
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib"))
from client import Shopper  # noqa: E402

CONFIRMATION = "/checkout/thank-you/"


def buy(shopper, items, affiliate=None, voucher=None):
    """Buys `items` ({word of the product's name: quantity}); returns (order number, thank-you page)."""
    shopper.get("/" + ("?affiliate_id=" + affiliate if affiliate else ""))
    fill(shopper, items, voucher)
    return check_out(shopper)


def fill(shopper, items, voucher=None):
    """Puts `items` into the basket."""
    catalogue = shopper.get("/catalogue/")
    for word, quantity in items.items():
        product = shopper.get(catalogue.find(r'href="(/catalogue/[^"/]*%s[^"/]*_\d+/)"' % re.escape(word)))
        basket = product.find(r'<form[^>]*action="(/basket/add/\d+/)"')
        shopper.post(basket, {"csrfmiddlewaretoken": product.field("csrfmiddlewaretoken"), "quantity": quantity})
    if voucher:
        basket = shopper.get("/basket/")
        basket = shopper.post("/basket/vouchers/add/",
                              {"csrfmiddlewaretoken": basket.field("csrfmiddlewaretoken"), "code": voucher})
        basket.find(r"(/basket/vouchers/\d+/remove/)")


def check_out(shopper, mail=None, **address):
    """From the basket to the thank-you page, with the address of Ada Buyer where `address` says nothing else; as `buy`."""
    page = shopper.get("/checkout/")
    page = shopper.post(page.url, {
        "csrfmiddlewaretoken": page.field("csrfmiddlewaretoken"), "options": "anonymous", "password": "",
        "username": mail or "guest-%s@example.org" % uuid.uuid4().hex[:8]})
    page = shopper.post(page.url, {
        "csrfmiddlewaretoken": page.field("csrfmiddlewaretoken"), "first_name": "Ada", "last_name": "Buyer",
        "line1": "1 High St", "line4": "London", "postcode": "N1 9GU", "country": "GB", "phone_number": "", **address})
    page = shopper.get("/checkout/preview/")
    page = shopper.post("/checkout/preview/", {
        "csrfmiddlewaretoken": page.field("csrfmiddlewaretoken"), "action": "place_order"})
    if not page.url.endswith(CONFIRMATION):
        raise LookupError("the order was not placed: the shopper is at %s" % page.url)
    return page.find(r"order number is\s*<strong>([^<]+)</strong>").strip(), page


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--host")
    parser.add_argument("--affiliate")
    parser.add_argument("--item", action="append", default=[])
    parser.add_argument("--voucher")
    parser.add_argument("--save", help="write the thank-you page to this file")
    arguments = parser.parse_args()
    items = dict((word, int(quantity)) for word, quantity in (item.split("=") for item in arguments.item or ["lamp=2"]))
    number, page = buy(Shopper(arguments.port, arguments.host), items, arguments.affiliate, arguments.voucher)
    if arguments.save:
        with open(arguments.save, "w", encoding="utf-8") as file:
            file.write(page.text)
    print(number)


if __name__ == "__main__":
    main()
