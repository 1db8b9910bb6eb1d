"""The proxies: refgate, and the peers against which the expectations are calibrated."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = os.path.join(os.path.dirname(HERE), "proxies")
ROOT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
FILES = {"refgate": "refgate.yaml", "nginx": "nginx.conf", "haproxy": "haproxy.cfg", "caddy": "Caddyfile"}
FEATURES = {"nginx": {"tls", "proxy_protocol"}, "haproxy": {"tls", "proxy_protocol"}, "caddy": {"tls"}}


# Every proxy of this run, so that none outlives it.
STARTED = []


def free_ports(count):
    """Ports of 127.0.0.1 on which nothing listens now, all different."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def make_certificates(folder):
    """Certificates for shop.test and for other.test with *.wild.test, of one authority; and another authority."""

    def make(name, *options):
        crt, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ]
        command += ["-subj", "/CN=" + name, "-keyout", key, "-out", crt, *options]
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode:
            raise RuntimeError("openssl: %s" % made.stdout.decode("utf-8", "replace"))
        with open(os.path.join(folder, name + ".pem"), "wb") as pem:
            for part in (crt, key):
                with open(part, "rb") as file:
                    pem.write(file.read())

    make("authority")
    make("stranger")
    by = ["-CA", os.path.join(folder, "authority.crt"), "-CAkey", os.path.join(folder, "authority.key")]
    for name, names in (("shop", "DNS:shop.test"), ("other", "DNS:other.test,DNS:*.wild.test")):
        make(name, *by, "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=" + names)


class Proxy:
    """One running proxy. `close` ends it by SIGTERM, then SIGKILL."""

    def __init__(
        self, kind, binary, workdir, upstream, extra="", config=None, plain=None, settings=None, start=True, prefix=()
    ):
        self.kind, self.binary, self.upstream = kind, binary, upstream
        self.folder = workdir
        os.makedirs(workdir, exist_ok=True)
        ports = free_ports(5)
        self.plain, self.tls, self.pp, self.admin, self.spare = ports
        self.plain = plain or self.plain
        self.settings, self.prefix = {"WORKERS": "1", **(settings or {})}, list(prefix)
        self.features = set(FEATURES.get(kind, ()))
        self.log_path = os.path.join(workdir, "proxy.log")
        self.config = os.path.join(workdir, FILES[kind])
        self.text = config
        if config is not None:
            self.write(config)
        elif kind == "refgate":
            self.features = {"tls", "proxy_protocol", "admin"}
            self.text = self.template("refgate.yaml") + extra
            self.write(self.text)
            if (
                subprocess.run(
                    [binary, "check", "--config", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                ).returncode
                != 0
            ):
                self.features = {"admin"}
                self.text = self.template("refgate-plain.yaml") + extra
                self.write(self.text)
        else:
            self.text = self.template(FILES[kind]) + extra
            self.write(self.text)
        self.process = None
        STARTED.append(self)
        if start:
            self.start()

    def template(self, name):
        with open(os.path.join(CONFIGS, name), encoding="utf-8") as file:
            return file.read()

    def write(self, text):
        certificates = os.path.join(os.path.dirname(self.folder), "certificates")
        values = {
            "PLAIN": self.plain,
            "TLS": self.tls,
            "PROXY": self.pp,
            "ADMIN": self.admin,
            "SPARE": self.spare,
            "UPSTREAM": self.upstream,
            "FOLDER": self.folder,
            "CERTIFICATES": certificates,
            **self.settings,
        }
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(re.sub(r"@([A-Z]+)@", lambda found: str(values[found.group(1)]), text))

    def command(self):
        return (
            self.prefix
            + {
                "refgate": [self.binary, "run", "--config", self.config],
                "nginx": [self.binary, "-p", self.folder, "-c", self.config, "-e", self.log_path],
                "haproxy": [self.binary, "-W", "-f", self.config],
                "caddy": [self.binary, "run", "--config", self.config, "--adapter", "caddyfile"],
            }[self.kind]
        )

    def spawn(self):
        log = open(self.log_path, "ab")
        environment = {**os.environ, "HOME": self.folder, "XDG_DATA_HOME": self.folder, "XDG_CONFIG_HOME": self.folder}
        return subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=environment
        )

    def start(self, seconds=20):
        self.process = self.spawn()
        end = time.monotonic() + seconds
        while not listens(self.plain):
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                raise RuntimeError("%s does not start:\n%s" % (self.kind, self.log()[-3000:]))
            time.sleep(0.02)
        if self.kind == "haproxy":
            time.sleep(0.3)  # its master forgets signals that come in the first tenth of a second

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def pids(self):
        """The process and its children: nginx and haproxy work in those."""
        found = [self.process.pid]
        for pid in found:
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
                    found += [int(child) for child in file.read().split()]
            except OSError:
                pass
        return found

    def descriptors(self):
        total = 0
        for pid in self.pids():
            try:
                total += len(os.listdir("/proc/%d/fd" % pid))
            except OSError:
                pass
        return total

    def memory(self):
        """Resident bytes."""
        total = 0
        for pid in self.pids():
            try:
                with open("/proc/%d/statm" % pid, encoding="ascii") as file:
                    total += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                pass
        return total

    def signal(self, number):
        self.process.send_signal(number)

    def drain(self):
        """Tells it to end when what is under way has ended."""
        self.signal({"nginx": signal.SIGQUIT, "haproxy": signal.SIGUSR1}.get(self.kind, signal.SIGTERM))

    def reload(self, text=None):
        """Tells it to take its configuration anew; `text` is a new template."""
        if text is not None:
            self.write(text)
        if self.kind == "caddy":
            return subprocess.run(
                [
                    self.binary,
                    "reload",
                    "--config",
                    self.config,
                    "--adapter",
                    "caddyfile",
                    "--address",
                    "127.0.0.1:%d" % self.admin,
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ).returncode
        self.signal({"haproxy": signal.SIGUSR2}.get(self.kind, signal.SIGHUP))
        return 0

    def wait(self, seconds):
        """The exit status, or None when it has not ended by then."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self, seconds=3):
        if not self.alive():
            return
        children = self.pids()[1:]
        self.process.send_signal(signal.SIGTERM)
        if self.wait(seconds) is None:
            self.process.kill()
            self.process.wait()
            for pid in children:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def find(kind, binary):
    """The binary's path, or None."""
    if binary:
        return os.path.abspath(binary) if os.path.exists(binary) else shutil.which(binary)
    if kind == "refgate":
        wanted = os.environ.get("REFGATE")
        places = (
            [wanted] if wanted else [os.path.join(ROOT, "target", kind, "refgate") for kind in ("release", "debug")]
        )
        return next((place for place in places if os.path.exists(place)), None)
    return shutil.which(kind)
