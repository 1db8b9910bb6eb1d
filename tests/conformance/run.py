#!/usr/bin/env python3
"""The conformance suite: a proxy between a raw client and a raw upstream, and what must hold of the bytes.

usage: run.py [--proxy refgate|nginx|haproxy|caddy] [--binary PATH] [--group G]… [--case NAME]… [--jobs N] [--list]
environment: REFGATE, the binary (default target/release/refgate, then target/debug/refgate)
SIGUSR1 tells where each thread stands.
"""

import argparse
import faulthandler
import importlib
import os
import pkgutil
import resource
import shutil
import signal
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
VENV = os.path.join(ROOT, "target", "conformance", "venv")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import own_venv  # noqa: E402


def main():
    own_venv.enter(os.path.join(HERE, "requirements.txt"), VENV)
    sys.path.insert(0, HERE)
    sys.dont_write_bytecode = True
    from harness import cases, proxies, runner
    import groups

    for module in pkgutil.iter_modules(groups.__path__):
        importlib.import_module("groups." + module.name)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proxy", default="refgate", choices=sorted(proxies.FILES))
    parser.add_argument("--binary")
    parser.add_argument("--group", action="append", choices=cases.GROUPS)
    parser.add_argument("--case", action="append", help="a case's name, or its beginning")
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--limit", type=int, default=900, help="seconds after which the whole run is given up")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="tell the N slowest cases")
    parser.add_argument("--once", action="store_true", help="do not try again what fails")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    cases.CASES.sort(key=lambda case: cases.GROUPS.index(case.group))
    chosen = [case for case in cases.CASES if not options.group or case.group in options.group]
    chosen = [
        case
        for case in chosen
        if not options.case or any(case.name.startswith(name.rpartition("/")[2]) for name in options.case)
    ]
    if options.list:
        for case in chosen:
            print(case.title)
        print("%d cases" % len(chosen))
        return 0
    binary = proxies.find(options.proxy, options.binary)
    if not binary or not chosen:
        print("no binary of %s" % options.proxy if chosen else "no such case")
        return 2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 65536)), hard))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("the suite took longer than %d s" % options.limit))
    signal.alarm(options.limit)
    faulthandler.register(signal.SIGUSR1)
    workdir = tempfile.mkdtemp(prefix="conformance-")
    try:
        os.makedirs(os.path.join(workdir, "certificates"))
        proxies.make_certificates(os.path.join(workdir, "certificates"))
        return runner.run(
            options.proxy,
            binary,
            workdir,
            chosen,
            options.jobs,
            options.verbose,
            0 if options.once else 1,
            options.slowest,
        )
    finally:
        shutil.rmtree(workdir, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
