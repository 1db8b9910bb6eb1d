"""What a power cut leaves: a log of which the last writes are torn, or never came."""
import os
import random


def tell(suite, scene):
    scene.start()
    dice = random.Random(7)
    for number, torn in enumerate([lambda wal: wal + dice.randbytes(1500), lambda wal: wal + bytes(4096),
                                   lambda wal: wal + wal[-4000:]]):
        what = "a torn tail (%d)" % number
        scene.served("before " + what, str(3000 + number))
        scene.told("before " + what)
        suite.kill(scene.program)
        path = os.path.join(scene.data, "refgate.db-wal")
        with open(path, "rb") as file:
            wal = file.read()
        with open(path, "wb") as file:
            file.write(torn(wal))
        scene.start()
        kept = scene.database().execute("SELECT count(*) FROM orders").fetchone()[0]
        suite.equal("%s: every order is there" % what, kept, len(scene.orders))
    scene.served("after torn tails", "3010")
    scene.told("after torn tails")
    suite.equal("the file is whole", scene.database().execute("PRAGMA integrity_check").fetchone()[0], "ok")
    scene.stop()
