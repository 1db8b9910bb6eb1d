"""A suite: claims that hold or do not, and the programs that are needed to see it.

Every program is started here and ended here, by its own process id. A suite has a time limit of its own.
"""
import os
import signal
import socket
import subprocess
import sys
import time


class Suite:
    """Counts claims; as a context manager it ends what it started and closes with `N passed, M failed`."""

    def __init__(self, name, workdir, limit):
        self.name, self.workdir = name, os.path.abspath(workdir)
        self.passed = self.failed = 0
        self.programs = []
        os.makedirs(self.workdir, exist_ok=True)
        signal.signal(signal.SIGALRM, self._out_of_time)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.alarm(limit)

    def _out_of_time(self, *_):
        raise TimeoutError("%s took longer than its limit" % self.name)

    def claim(self, text, holds, detail=""):
        """One line for one claim; `detail` is printed when it does not hold. A detail may be made late by a function."""
        if holds:
            self.passed += 1
            print("ok      %s" % text, flush=True)
        else:
            self.failed += 1
            print("FAILED  %s" % text, flush=True)
            print("        %s" % str(detail() if callable(detail) else detail), flush=True)
        return holds

    def equal(self, text, found, expected):
        return self.claim(text, found == expected, lambda: "found %r, expected %r" % (found, expected))

    def start(self, name, command, port=None, env=None, seconds=60):
        """Starts a program, its output in WORKDIR/NAME.log, and waits until it listens on `port`."""
        if port and listens(port):
            raise RuntimeError("another program listens on port %d already" % port)
        log = open(os.path.join(self.workdir, name + ".log"), "wb")
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   cwd=self.workdir, env={**os.environ, **(env or {})})
        self.programs.append((name, program))
        if port:
            wait_until("%s listens on %d" % (name, port), lambda: listens(port) or self._alive(name, program), seconds)
        return program

    def _alive(self, name, program):
        if program.poll() is not None:
            raise RuntimeError("%s ended with %d:\n%s" % (name, program.returncode, self.log(name)[-4000:]))
        return False

    def log(self, name):
        with open(os.path.join(self.workdir, name + ".log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, program, seconds=15):
        """SIGTERM, then SIGKILL; the exit status."""
        if program.poll() is None:
            program.terminate()
        try:
            return program.wait(seconds)
        except subprocess.TimeoutExpired:
            program.kill()
            return program.wait()

    def kill(self, program):
        """SIGKILL, as a power cut would."""
        program.kill()
        program.wait(15)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        signal.alarm(0)
        for name, program in reversed(self.programs):
            if program.poll() is None:
                self.stop(program)
        if error is not None and not isinstance(error, SystemExit):
            self.claim("%s runs to its end" % self.name, False, "%s: %s" % (kind.__name__, error))
            for name, _program in self.programs:
                print("--- end of %s.log\n%s" % (name, self.log(name)[-2000:]))
        print("%d passed, %d failed" % (self.passed, self.failed), flush=True)
        sys.stdout.flush()
        raise SystemExit(1 if self.failed or not self.passed else 0)


given = set()


def free_port():
    """A port of 127.0.0.1 on which nothing listens now; another one each time, as whoever asked before may not listen
    yet."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in given:
            given.add(port)
            return port


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_until(what, holds, seconds=10):
    """Waits for a thing that another process does; raises when it does not come."""
    end = time.monotonic() + seconds
    while not (result := holds()):
        if time.monotonic() > end:
            raise TimeoutError("waited %d s until %s" % (seconds, what))
        time.sleep(0.05)
    return result
