"""Who may steer, and what strangers write where an operator reads it."""
import csv
import re
from urllib.parse import quote

FORMULA, TURNED = '=HYPERLINK("evil.example","5")', "5\u202e1000.00"
FORGED = "2026-12-01T00:00:00Z INFO order released"
# What a spreadsheet works out, or a terminal acts on.
WORKED_OUT = ("=", "+", "-", "@", "\t", "\r")
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def the_admin_listener_asked_by_strangers(scene):
    """Given the admin listener, with a token for each person.
    When a page in a browser asks it (by `Origin`, from another site, by a name that was led here, as a form), or
    somebody without a token.
    Then all of them are refused, and nothing is reloaded. The operator with his token is let in."""
    token = {"Authorization": "Bearer " + scene.token}
    json = {"Content_Type": "application/json"}
    cases = [
        ("without a token", 401, {}), ("with another token", 401, {"Authorization": "Bearer " + "0" * 32}),
        ("from a page, by Origin", 403, {**token, "Origin": "https://evil.example"}),
        ("from a page of no origin", 403, {**token, "Origin": "null"}),
        ("from another site", 403, {**token, "Sec_Fetch_Site": "cross-site"}),
        ("by a name that was led here", 421, {**token, "Host": "evil.example"}),
        ("as a form", 415, {**token, "Content_Type": "application/x-www-form-urlencoded"}),
        ("as a form of plain text", 415, {**token, "Content_Type": "text/plain"})]
    before = scene.metric("refgate_reloads_total")
    for words, status, headers in cases:
        scene.suite.equal("a reload %s" % words, scene.ask("POST", "/reload", **headers)[0], status)
    scene.suite.equal("alarms by a name that was led here",
                      scene.ask("GET", "/alarms", **token, Host="evil.example:80")[0], 421)
    scene.suite.equal("alarms without a token", scene.ask("GET", "/alarms")[0], 401)
    refused = "refused" if scene.metric("refgate_reloads_total") == before else "taken"
    return refused, "taken" if scene.ask("POST", "/reload", **token, **json)[0] == 200 else "refused"


def texts_that_act_where_they_are_shown(scene):
    """Given ids that begin like a formula or turn the text's direction, and a network whose answers clear the screen
    and begin a line of their own.
    When the operator reads orders, postbacks, the story of an order and the log, or takes them into a spreadsheet.
    Then nothing in them acts: it is escaped. Ids with control characters make no order at all."""
    scene.manners["aspire"] = lambda call: b"success=true;\x1b[2J\r\n%s\x9b31m" % FORGED.encode()
    cheat = scene.visitor("trusting")
    cheat.clicks("/?affiliate_id=7")
    scene.later(60)
    for number in (FORMULA, TURNED):
        cheat.looks(quote(number))
        scene.owe(number, "7", "49.00")
    for number in ("5\n" + FORGED, "5\x1b[2J"):
        page = cheat.looks(quote(number))
        scene.suite.claim("%r is shown by the shop" % number, page.status == 200 and "Thank you" in page.text)
        scene.suite.equal("%r is no order" % number, scene.outcome(number, "trusting"), "no order")
    honest = scene.honest()
    del scene.manners["aspire"]
    shown = {" ".join(words): scene.does(*words) for words in (
        ["orders", "--limit", "1000"], ["postbacks", "list", "--limit", "1000"], ["held", "list"],
        ["explain", FORMULA], ["--json", "explain", TURNED], ["affiliates"], ["orders", "export"],
        ["postbacks", "export"])}
    shown["the log"] = scene.log()
    for words, text in shown.items():
        scene.suite.equal("nothing acts in %s" % words, ACTS.findall(text), [])
        lines = [line for line in text.splitlines() if line.startswith(FORGED)]
        scene.suite.equal("no forged line in %s" % words, lines, [])
    for words in ("orders export", "postbacks export"):
        cells = [cell for row in csv.reader(shown[words].splitlines()) for cell in row]
        scene.suite.claim("the formula is in %s" % words, any(FORMULA in cell for cell in cells))
        scene.suite.equal("nothing is worked out in %s" % words,
                          [cell for cell in cells if cell.startswith(WORKED_OUT)], [])
    return "inert", honest


def a_token_that_a_network_echoes(scene):
    """Given a postback with a security token in its address.
    When the network repeats it in its answer, plain and encoded.
    Then it is masked wherever it is shown or kept. The order is told as ever."""
    scene.manners["echo"] = lambda call: b"success=true; you said " + call["security_token"].encode() + b" and " + \
        "".join("%%%02x" % byte for byte in call["security_token"].encode()).encode()
    shopper = scene.visitor()
    number = shopper.buys("/?echo_id=6")
    honest = scene.credited(shopper, number, "6", "echo")
    told = scene.does("explain", number) + scene.does("--json", "explain", number) + scene.log()
    encoded = "".join("%%%02x" % byte for byte in scene.secret.encode())
    shows = [text for text in (scene.secret, encoded) if text in told]
    with open(scene.data + "/refgate.db", "rb") as file, open(scene.data + "/refgate.db-wal", "rb") as wal:
        kept = file.read() + wal.read()
    shows += [text for text in (scene.secret, encoded) if text.encode() in kept]
    return "shown" if shows else "masked", honest
