"""Runs the cases: each in a slot, which is a proxy process and an upstream of its own, so that slots run side by side."""

import itertools
import os
import queue
import sys
import threading
import time

from .cases import CASES, GROUPS, Context, Failed, Skipped
from .proxies import STARTED, Proxy
from .upstream import Upstream

MOST_AGAIN = 25


class Slot:
    def __init__(self, number, kind, binary, workdir):
        self.number, self.kind, self.binary = number, kind, binary
        self.workdir, self.counter = workdir, itertools.count()
        self.upstream = Upstream()
        self.folders = itertools.count()
        self.proxy = self.start_proxy()

    def start_proxy(self, **options):
        folder = os.path.join(self.workdir, "slot-%d-%d" % (self.number, next(self.folders)))
        options.setdefault("upstream", self.upstream.port)
        return Proxy(self.kind, self.binary, folder, **options)

    def count(self):
        return next(self.counter)

    def run(self, case):
        """None when the case holds, else what was seen."""
        if case.only and self.kind not in case.only:
            raise Skipped("only for %s" % ", ".join(case.only))
        self.upstream.begin()
        context = Context(self)
        try:
            case.run(context)
            if self.upstream.errors:
                return "the upstream's script: %s" % self.upstream.errors[0]
            if not self.proxy.alive():
                return "the proxy has ended: %s" % self.proxy.log()[-300:]
            return None
        except Failed as failed:
            return str(failed)
        except Skipped:
            raise
        except Exception as error:
            place = error.__traceback__
            while place.tb_next and "groups" in place.tb_next.tb_frame.f_code.co_filename:
                place = place.tb_next
            return "%s: %s (%s:%d)" % (
                type(error).__name__,
                error,
                os.path.basename(place.tb_frame.f_code.co_filename),
                place.tb_lineno,
            )
        finally:
            context.cleanup()
            self.upstream.end()
            if not self.proxy.alive():
                self.proxy = self.start_proxy()

    def close(self):
        self.proxy.close()
        self.upstream.close()


class Results:
    def __init__(self, verbose):
        self.lock, self.verbose = threading.Lock(), verbose
        self.passed, self.failed, self.skipped, self.seconds = [], {}, {}, {}
        self.running = set()

    def put(self, case, seen, seconds):
        with self.lock:
            self.seconds[case.title] = seconds
            if seen is None:
                self.passed.append(case)
                if self.verbose:
                    print("ok      %s" % case.title, flush=True)
            else:
                self.failed[case] = seen


def work(slot, cases, results):
    while True:
        try:
            case = cases.get_nowait()
        except queue.Empty:
            return
        attempt(slot, case, results)


def attempt(slot, case, results):
    began = time.monotonic()
    results.running.add(case.title)
    try:
        results.put(case, slot.run(case), time.monotonic() - began)
    except Skipped as skipped:
        with results.lock:
            results.skipped[case] = str(skipped)
    finally:
        results.running.discard(case.title)


def run(kind, binary, workdir, chosen, jobs, verbose=False, retries=1, slowest=0):
    """Runs `chosen`; the exit status. What fails is tried again alone, since a busy machine is no fault of a proxy's."""
    began = time.monotonic()
    results, cases = Results(verbose), queue.Queue()
    for case in chosen:
        if not case.alone:
            cases.put(case)
    slots = [Slot(number, kind, binary, workdir) for number in range(max(1, min(jobs, len(chosen))))]
    try:
        share(slots, cases, results)
        for case in chosen:
            if case.alone:
                attempt(slots[0], case, results)
        again(slots, results) if retries else None
    except SystemExit:
        while not cases.empty():
            cases.get()
        print("cut off while these ran: %s" % ", ".join(sorted(results.running)), flush=True)
        raise
    finally:
        for slot in slots:
            slot.close()
        for proxy in STARTED:
            proxy.close(1)
    report(results, chosen, time.monotonic() - began, slowest)
    return 1 if results.failed or not results.passed else 0


def share(slots, cases, results):
    """Every slot takes the next case until there is none."""
    threads = [threading.Thread(target=work, args=(slot, cases, results), daemon=True) for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def again(slots, results):
    """A second try with fewer beside it, unless so many failed that it is no accident."""
    first = {case: seen for case, seen in results.failed.items() if not seen.startswith("needs ")}
    if len(first) > MOST_AGAIN:
        return
    cases = queue.Queue()
    for case in first:
        del results.failed[case]
        if not case.alone:
            cases.put(case)
    share(slots[:2], cases, results)
    for case in first:
        if case.alone:
            attempt(slots[0], case, results)
        if case not in results.failed:
            print("again   %s held on a second try; at first: %s" % (case.title, first[case]), flush=True)


def report(results, chosen, seconds, slowest):
    order = {case: at for at, case in enumerate(CASES)}
    for case in sorted(results.failed, key=order.get):
        print("FAILED  %s: %s" % (case.title, results.failed[case].replace("\n", " ")))
    print()
    for group in GROUPS:
        counts = [
            sum(1 for case in of if case.group == group) for of in (results.passed, results.failed, results.skipped)
        ]
        if sum(counts):
            print("%-13s %3d held, %3d did not, %3d were left out" % (group, *counts))
    for title, took in sorted(results.seconds.items(), key=lambda pair: -pair[1])[:slowest]:
        print("%6.1f s  %s" % (took, title))
    print("%d cases in %d s" % (len(chosen), seconds))
    print("%d passed, %d failed, %d skipped" % (len(results.passed), len(results.failed), len(results.skipped)))
    sys.stdout.flush()
