"""Who the shoppers are, in one table each: how many, and where that is known from.

A weight is a share of its table, in percent. `[B5]` and the like name public sources, listed at the end of this file; "assumed"
is what nobody has counted for us, chosen rather too often than too rarely where it could hold an order. The
result is a rate for this table: change a weight and measure again.
"""

CHROME = "Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 %sSafari/537.36%s"
SAFARI = "Mozilla/5.0 (%s) AppleWebKit/605.1.15 (KHTML, like Gecko) %s"
IPHONE = "iPhone; CPU iPhone OS 18_6 like Mac OS X"
ANDROID = "Linux; Android 15; Pixel 8"

# name: weight, User-Agent, what is particular, other fields. Particular is that it
#   h1        speaks HTTP/1.1 only
#   bare      sends no Sec-Fetch-*: browsers before 2023 (Safari 16.4 brought them)
#   app       an app's own browser: no tabs, and a cookie jar of its own
#   same-referer, no-referer   sends `Referer` to the own site only, or nowhere; else the origin alone across sites [B11]
#   gpc       sends Sec-GPC: 1 [B14]
#   mobile    may be on a carrier's network
#   itp       Safari's rules for cookies [B1]-[B3]
#   ahead     may fetch a page ahead of time [B12]
BROWSERS = {
    "Chrome, Android": (30.0, CHROME % (ANDROID, "Mobile ", ""), {"mobile", "ahead"}, {}),  # shares: assumed
    "Safari, iPhone": (22.0, SAFARI % (IPHONE, "Version/18.6 Mobile/15E148 Safari/604.1"), {"mobile", "itp"}, {}),
    "Chrome, desktop": (17.0, CHROME % ("Windows NT 10.0; Win64; x64", "", ""), {"ahead"}, {}),
    "Edge": (4.0, CHROME % ("Windows NT 10.0; Win64; x64", "", " Edg/142.0.0.0"), {"ahead"}, {}),
    "Safari, Mac": (5.0, SAFARI % ("Macintosh; Intel Mac OS X 10_15_7", "Version/18.6 Safari/605.1.15"), {"itp"}, {}),
    "Samsung Internet": (4.0, (CHROME % ("Linux; Android 14; SM-S918B", "Mobile ", "")).replace("Chrome/", "SamsungBrowser/27.0 Chrome/"),
                         {"mobile", "ahead"}, {}),
    "Firefox": (2.5, "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", set(), {}),
    "Firefox, an extension withholds Referer": (0.5, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
                                                {"no-referer"}, {}),
    "Brave": (1.0, CHROME % ("Windows NT 10.0; Win64; x64", "", ""), {"gpc", "same-referer"}, {}),  # [B9]
    "DuckDuckGo": (1.0, SAFARI % (IPHONE, "Version/18.6 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15"),
                   {"mobile", "gpc", "same-referer"}, {}),
    "Instagram, iPhone": (3.5, SAFARI % (IPHONE, "Mobile/15E148 Instagram 390.0.0.28.85 (iPhone15,2; iOS 18_6; en_US; en; scale=3.00)"),
                          {"mobile", "app", "itp"}, {}),
    "Instagram, Android": (1.5, CHROME % (ANDROID + " Build/AP4A; wv", "Mobile ", " Instagram 390.0.0.43.81 Android"),
                           {"mobile", "app"}, {"X-Requested-With": "com.instagram.android"}),
    "TikTok": (2.5, SAFARI % (IPHONE, "Mobile/15E148 musical_ly_40.1.0 JsSdk/2.0 NetType/4G Channel/App Store ByteLocale/en BytedanceWebview/d8a21c6"),
               {"mobile", "app", "no-referer"}, {}),
    "Facebook": (2.0, SAFARI % (IPHONE, "Mobile/15E148 [FBAN/FBIOS;FBAV/530.0.0.50.70;FBDV/iPhone15,2;FBMD/iPhone;FBSN/iOS;FBSV/18.6]"),
                 {"mobile", "app"}, {}),
    "old Safari, without Sec-Fetch": (2.0, SAFARI % ("iPad; CPU OS 14_8 like Mac OS X", "Version/14.1 Mobile/15E148 Safari/604.1"),
                                      {"mobile", "itp", "bare"}, {}),
    "old Android, HTTP/1.1 alone": (0.5, "Mozilla/5.0 (Linux; U; Android 4.4.2; en-us; SM-T530NU) AppleWebKit/537.36 (KHTML, like Gecko) "
                                    "Version/4.0 Chrome/30.0.0.0 Safari/537.36", {"mobile", "bare", "h1"}, {}),
    "behind a company's proxy, HTTP/1.1": (1.0, CHROME % ("Windows NT 10.0; Win64; x64", "", ""), {"h1"}, {"Via": "1.1 proxy.corp"}),
}

# Where they are: assumed, but that carriers share IPv4 addresses and give IPv6 ones to each.
ADDRESSES = {"at home, an address of their own": 49.0, "mobile": 45.0, "at the office": 6.0}
MOBILE_IPV6 = 0.5  # of those on mobile: a /64 of their own
CARRIERS = 24  # public IPv4 addresses that the others share; the first is used most (Zipf)
OFFICES = 6
RELAYED = 0.05  # of Safari's: a relay gives each connection another address (iCloud Private Relay)
# An affiliate brings one order of five (assumed); the others come from the same shared addresses, without a click.
OTHERS_PER_SHOPPER = 4
EVENING = 6 * 3600  # in which all of them come: a big shop's busy evening

STORES = {"us": 62.0, "ca": 8.0, "eu": 20.0, "uk": 10.0}  # eu asks for consent, uk has no `session_cookie`; assumed

CONSENT = {"had said yes before": 30.0, "says yes on the landing": 35.0, "says yes on a later page": 10.0, "refuses": 25.0}  # assumed

LANDING = {  # assumed
    "a page": 84.0, "a page, its link opened in two tabs": 3.0, "a product": 8.0,
    "fetched ahead, then shown without a request": 2.5, "fetched ahead, then asked for": 2.5}

# From the click to the first step of the checkout, in seconds.
THINKING = {  # assumed; that purchases within seconds are stuffing: [C6], 5 to 30 s are advised as a minimum [N1]
    "at once, a form that fills itself": (6.0, 6, 30), "within minutes": (64.0, 40, 1500), "within hours": (16.0, 1500, 14400),
    "days later": (13.0, 86400, 20 * 86400), "after the window": (1.0, 31 * 86400, 34 * 86400)}

CHECKOUT = {  # assumed, but that hosted payment pages may come back by POST [B7]
    "pages, as a guest": 44.0, "one page, by scripts": 16.0, "wallet button on the product's page": 7.0,
    "hosted payment, back by GET": 20.0, "hosted payment, back by POST and redirected": 6.0,
    "hosted payment, back by POST, confirmed in the answer": 4.0, "bank's app, back in another browser": 1.5,
    "paid by a link in a mail, days later": 1.5}

# Whether it happens at all, in percent; all assumed.
HAPPENS = {
    "app: goes on in the system's browser": 30.0, "an extension refuses the cookie": 1.0, "browser forgets the site after a week": 10.0,
    "cart from a mail in another browser": 1.0, "another affiliate's link before the checkout": 3.0,
    "another affiliate's link at the checkout": 3.0, "first link of all at the checkout": 1.5, "coupon": 20.0,
    "changes the store": 5.0, "changes the network": 6.0, "leaves the checkout over night": 2.0, "reloads": 10.0, "comes back by the back button": 4.0,
    "tab restored the next day": 3.0, "opens the mail's link in another browser": 3.0, "buys again": 4.0,
    "hands the confirmation to a friend who has a click of his own": 1.0}

SOURCES = """
[B1] webkit.org/blog/8828  [B2] blink-dev, tZ52DF6uoBU  [B3] WebKit NetworkTaskCocoa.mm  [B5] MDN, Set-Cookie
[B7] GoogleChromeLabs/samesite-examples, 3d-secure.md  [B9] brave-core, query_filter  [B11] MDN, Referrer-Policy
[B12] MDN, Sec-Purpose  [B14] MDN, Sec-GPC  [C6] anura.io, cookie stuffing  [N1] Everflow, click-to-conversion time
"""
