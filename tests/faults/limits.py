"""The system's limits: how large files may become, how many may be open; and a network that is away."""
import os
import resource

from suite import wait_until


def tell(suite, scene):
    scene.start()
    scene.served("no limit is reached", "2000")
    scene.told("no limit is reached")
    largest_file(suite, scene)
    open_files(suite, scene)
    away(suite, scene)
    scene.stop()


def limited(scene, what, soft):
    hard = resource.prlimit(scene.program.pid, what)[1]
    resource.prlimit(scene.program.pid, what, (hard if soft is None else soft, hard))


def largest_file(suite, scene):
    """A write beyond the limit brings a signal that by itself ends a process."""
    what = "a limit for files"
    limited(scene, resource.RLIMIT_FSIZE, 16 * 1024)
    scene.served(what, "2001")
    suite.equal("%s: the order is in the spool" % what, len(scene.spooled()), 1)
    scene.alarmed(what, ["ledger_fails", "orders_spooled"])
    limited(scene, resource.RLIMIT_FSIZE, None)
    scene.told("after " + what)
    scene.calm("after " + what, ["ledger_fails", "orders_spooled"])


def open_files(suite, scene):
    """Who is connected goes on; who comes waits in the listener's queue."""
    what = "no descriptor is left"
    here, late = scene.connect(), scene.connect()
    scene.served("before " + what, "2002", here)
    scene.told("before " + what)
    limited(scene, resource.RLIMIT_NOFILE, len(os.listdir("/proc/%d/fd" % scene.program.pid)))
    late.connect()
    late.sock.settimeout(60)
    scene.served(what, "2003", here)
    limited(scene, resource.RLIMIT_NOFILE, None)
    scene.served("after %s, who waited" % what, "2004", late)
    scene.told("after " + what)
    scene.calm("after " + what, ["ledger_fails", "orders_spooled"])


def away(suite, scene):
    what = "a network that is away"
    scene.network.close()
    for order in range(2010, 2020):
        wrong = scene.buys(str(order))
        if wrong:
            suite.claim("%s: pages are the shop's" % what, False, wrong)
    scene.alarmed(what, ["destination_rests"])
    suite.equal("%s: healthy, as shoppers are served" % what, scene.ask("/healthz")[0], 200)
    scene.network.open()
    scene.told("after " + what, 60)
    wait_until("the rest is over", lambda: "destination_rests" not in scene.alarms(), 30)
