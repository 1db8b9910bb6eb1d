"""The disk: full, read-only, failing, forbidden, and the ledger locked by somebody; the start on a full disk or a locked ledger."""
import errno
import os
import re
import subprocess

PRELOAD = "/usr/lib/fiu/fiu_run_preload.so /usr/lib/fiu/fiu_posix_preload.so"

# What fails, the process's calls that fail by it, and where an order is meanwhile.
FAULTS = [
    ("a full disk", {"posix/io/rw/pwrite": errno.ENOSPC}, "spool"),
    ("a ledger that is read-only", {"posix/io/rw/pwrite": errno.EROFS}, "spool"),
    ("a disk that fails", {"posix/io/rw/pwrite": errno.EIO, "posix/io/sync/*": errno.EIO}, "log"),
    ("a full disk where no file can be made", {"posix/io/rw/pwrite": errno.ENOSPC, "posix/io/oc/open": errno.ENOSPC}, "log"),
    ("files that nobody may open", {"posix/io/oc/open": errno.EACCES}, "ledger"),
]


class Injected:
    """While it is entered the calls of `program` fail as told."""

    def __init__(self, scene, calls):
        self.scene, self.calls = scene, calls

    def __enter__(self):
        self.control(*("enable name=%s,failinfo=%d" % call for call in self.calls.items()))

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.control(*("disable name=%s" % name for name in self.calls))

    def control(self, *commands):
        words = [word for command in commands for word in ("-c", command)]
        subprocess.run(["fiu-ctrl", "-f", prefix(self.scene), *words, str(self.scene.program.pid)], check=True, timeout=20)


def prefix(scene):
    return os.path.join(scene.data, "fiu")


def tell(suite, scene):
    scene.start({"LD_PRELOAD": PRELOAD, "FIU_CTRL_FIFO": prefix(scene)})
    scene.served("nothing fails", "1000")
    scene.told("nothing fails")
    for number, (what, calls, where) in enumerate(FAULTS):
        fault(suite, scene, what, calls, where, str(1001 + number))
    locked(suite, scene)
    scene.stop()
    locked_at_the_start(suite, scene)
    scene.stop()
    full_at_the_start(suite, scene)
    scene.stop()


def fault(suite, scene, what, calls, where, order):
    with Injected(scene, calls):
        scene.served(what, order)
        if where == "spool":
            suite.equal("%s: the order is in the spool" % what, len(scene.spooled()), 1)
            scene.alarmed(what, ["ledger_fails", "orders_spooled"])
        if where == "log":
            scene.alarmed(what, ["ledger_fails", "orders_logged"])
        if where == "ledger":
            suite.equal("%s: the order is entered as ever" % what, scene.spooled(), [])
    if where == "log":
        sealed = re.search(r'order only logged.*order\.id=shop/%s .*sealed="([^"]+)"' % order, scene.log())
        if suite.claim("%s: the log has the order, sealed" % what, sealed, scene.log()[-2000:]):
            with open(os.path.join(scene.data, "spool", order + ".order"), "w", encoding="ascii") as file:
                file.write(sealed.group(1))
    scene.told("after " + what)
    scene.calm("after " + what, ["ledger_fails", "orders_spooled"])


def locked(suite, scene):
    what = "a ledger that another program locks"
    other = scene.database()
    other.execute("BEGIN IMMEDIATE")
    scene.served(what, "1010")
    suite.equal("%s: the order is in the spool" % what, len(scene.spooled()), 1)
    scene.alarmed(what, ["orders_spooled"])
    other.execute("ROLLBACK")
    other.close()
    scene.told("after " + what)
    scene.calm("after " + what, ["ledger_fails", "orders_spooled"])


def locked_at_the_start(suite, scene):
    what = "a ledger that nobody else may look into at the start"
    other = scene.database()
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('somebody', 'was here')")
    scene.start()
    started(suite, scene, what, "1011")
    other.execute("ROLLBACK")
    other.close()
    scene.told("after " + what)
    scene.calm("after " + what, ["ledger_fails", "orders_spooled"])


def full_at_the_start(suite, scene):
    what, calls = "a full disk at the start", {"posix/io/rw/pwrite": errno.ENOSPC}
    enable = "\n".join("enable name=%s,failinfo=%d" % call for call in calls.items())
    scene.start({"LD_PRELOAD": PRELOAD, "FIU_CTRL_FIFO": prefix(scene), "FIU_ENABLE": enable})
    started(suite, scene, what, "1012")
    Injected(scene, calls).end()
    scene.told("after " + what)
    scene.calm("after " + what, ["ledger_fails", "orders_spooled"])


def started(suite, scene, what, order):
    scene.served(what, order)
    suite.equal("%s: the order is in the spool" % what, len(scene.spooled()), 1)
    scene.alarmed(what, ["ledger_fails", "orders_spooled"])
    suite.equal("%s: not healthy" % what, scene.ask("/healthz")[0], 503)
