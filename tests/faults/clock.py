"""A clock that jumps. The shop's pages and the orders are as ever; who is owed an order is by the clock's own word."""
import glob
import os

DAY = 86400


def tell(suite, scene):
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0]
    offset = os.path.join(scene.data, "offset")

    def jump(days):
        with open(offset + ".new", "w", encoding="ascii") as file:
            file.write("%+d" % (days * DAY))
        os.rename(offset + ".new", offset)

    jump(0)
    scene.start({"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": offset, "FAKETIME_NO_CACHE": "1",
                 "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    scene.served("the right time", "4000")
    scene.told("the right time")
    for number, days in enumerate([1, 0, -1, 0, 400, 0]):
        what = "a clock %d days off" % days
        jump(days)
        scene.alarmed(what, ["clock_jumped"])
        scene.served(what, str(4001 + number))
        if days:
            scene.doubts()
            continue
        scene.told(what)
    kept = scene.database().execute("SELECT count(*) FROM orders").fetchone()[0]
    suite.equal("whatever the clock said, every order is kept", kept, len(scene.orders) + len(scene.doubtful))
    jump(0)
    scene.served("the right time again", "4010")
    scene.told("the right time again")
    scene.stop()
