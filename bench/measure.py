"""What is measured of a running proxy: time on a core, memory, system calls, instructions of its own code."""
import glob
import os
import re
import signal
import statistics
import subprocess
import time

from suite import wait_until


def tree(root):
    """The process and its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu(root):
    """Nanoseconds on a core of the process and its descendants so far, kernel work included."""
    total = 0
    for pid in tree(root):
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as file:
                total += int(file.read().split()[0])
    return total


def memory(root):
    """Bytes of the process and its descendants: Pss, which counts what is shared once."""
    total = 0
    for pid in tree(root):
        with open("/proc/%d/smaps_rollup" % pid) as file:
            total += int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024
    return total


def syscalls(root, work):
    """How many system calls the process and its descendants make while `work()` runs."""
    command = ["strace", "-c", "-f", "-q"] + [word for pid in tree(root) for word in ("-p", str(pid))]
    strace = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True)
    try:
        wait_until("strace holds every thread", lambda: all_traced(root), 20)
        work()
        time.sleep(0.2)
    finally:
        strace.send_signal(signal.SIGINT)
        table = strace.communicate(timeout=20)[1]
    last = re.search(r"^.* total$", table, re.M)  # % time, seconds, usecs/call, calls, perhaps errors
    if not last:
        raise RuntimeError("strace said: %s" % table)
    return int(last.group(0).split()[3])


def all_traced(root):
    for pid in tree(root):
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/status" % (pid, task)) as file:
                if re.search(r"^TracerPid:\s+0$", file.read(), re.M):
                    return False
    return True


IDLE_SECONDS = 4


class Counter:
    """Counts instructions of a program that runs under callgrind: `words` go before its command."""

    def __init__(self, folder, more=()):
        self.folder, self.idle = folder, {}
        os.makedirs(folder, exist_ok=True)
        self.words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=%s/out.%%p" % folder, *more]

    def dump(self, pid):
        """The path of a new file with the counts since the last time."""
        before = set(glob.glob("%s/out.%d.*" % (self.folder, pid)))
        subprocess.run(["vgdb", "--pid=%d" % pid, "dump"], check=True, timeout=60, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (path,) = wait_until("callgrind has written",
                             lambda: set(glob.glob("%s/out.%d.*" % (self.folder, pid))) - before, 30)
        wait_until("callgrind is done", lambda: total(path), 30)
        return path

    def take(self, pid):
        """Instructions since the last time."""
        path = self.dump(pid)
        found = total(path)
        os.remove(path)
        return found

    def each(self, pid, work, few, many):
        """Instructions of one piece of work, from `work(few)` and `work(many)`: what comes once is not in it, nor what
        the program does by itself as time passes (on a busy machine much time passes)."""
        if pid not in self.idle:
            self.take(pid)
            self.idle[pid] = self.rate(pid, lambda: time.sleep(IDLE_SECONDS))
        found = []
        for _again in range(3):  # on a busy machine one of them may wake up more often; the median
            self.take(pid)
            first, second = (self.beyond_idle(pid, lambda: work(count)) for count in (few, many))
            found.append((second - first) / (many - few))
        return statistics.median(found)

    def rate(self, pid, work):
        """Instructions a second while `work()` runs."""
        started = time.monotonic()
        work()
        return self.take(pid) / (time.monotonic() - started)

    def beyond_idle(self, pid, work):
        """Instructions while `work()` runs, less those of an idle program in as much time."""
        started = time.monotonic()
        work()
        found = self.take(pid)
        return found - self.idle[pid] * (time.monotonic() - started)


def total(path):
    """The sum at the end of a dump; None while it is being written."""
    with open(path) as file:
        found = re.search(r"^totals: (\d+)$", file.read(), re.M)
    return int(found.group(1)) if found else None
