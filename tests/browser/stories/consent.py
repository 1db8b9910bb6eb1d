"""Consent: the click is there before the choice is made."""
from scene import EU, US
from shop import CHOICE
from suite import wait_until


def given(visitor):
    """the visitor accepts on the landing page, and goes on; later he thinks better of it"""
    suite = visitor.suite
    visitor.land("eu", 601)
    suite.equal("before the choice there is no cookie of refgate's", visitor.ours(), [])
    visitor.click("#accept")
    wait_until("the choice is kept", lambda: CHOICE in visitor.cookies())
    visitor.go("#product-link", "eu", "product")
    suite.equal("the next page has one", visitor.ours(), [EU])
    visitor.credited("consent came late", visitor.buy("eu"), 601)
    visitor.click("#withdraw")
    visitor.go("#product-link", "eu", "product")
    suite.equal("after a withdrawal the next page has none any more", visitor.ours(), [])
    visitor.organic("consent was withdrawn", visitor.buy("eu"))


def refused(visitor):
    """the visitor refuses"""
    began = len(visitor.traffic())
    visitor.land("eu", 602)
    visitor.click("#refuse")
    visitor.organic("consent was refused", visitor.buy("eu"))
    visitor.suite.equal("no cookie of refgate's is kept", visitor.ours(), [])
    set_cookies = [seen[2].get("set-cookie", "") for seen in visitor.traffic()[began:]]
    visitor.suite.claim("or was ever set", any("sid=" in line for line in set_cookies)
                        and not any("refgate" in line for line in set_cookies), set_cookies)


def carried(visitor):
    """a click comes along from store.us to store.eu, which must ask first"""
    visitor.land("us", 603)
    visitor.cross("link", "eu")
    visitor.suite.equal("before the choice store.eu keeps nothing", visitor.ours(), [US])
    visitor.click("#refuse")
    visitor.organic("consent was refused at the second store", visitor.buy("eu"))
    visitor.suite.equal("store.eu still keeps nothing", visitor.ours(), [US])


def carried_and_given(visitor):
    """the same, and the visitor accepts"""
    visitor.land("us", 604)
    visitor.cross("link", "eu")
    visitor.click("#accept")
    wait_until("the choice is kept", lambda: CHOICE in visitor.cookies())
    visitor.credited("consent came late at the second store", visitor.buy("eu"), 604)


STORIES = [given, refused, carried, carried_and_given]
