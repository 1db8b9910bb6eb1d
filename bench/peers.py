"""The proxies of the bench: how each is found, set up and started. Their configurations stand in peers/."""
import os
import re
import shutil
import subprocess

from suite import free_port, listens, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
HOST = "shop.localhost"
ENVOY_TLS = """transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_params: { tls_minimum_protocol_version: TLSv1_2, tls_maximum_protocol_version: TLSv1_3 }
                tls_certificates:
                  - { certificate_chain: { filename: "%s" }, private_key: { filename: "%s" } }"""


class Peer:
    """One proxy: `command` makes its command line from its configuration's path and the number of workers, `tls`
    what its configuration says where it speaks TLS, from the folder's certificate. With `only` it takes part in one
    scenario alone, with a `setting` that would slow it down elsewhere."""

    def __init__(self, name, template, program, version, command, tls, only=None, setting=""):
        self.name, self.template, self.program, self.only, self.setting = name, template, program, only, setting
        self.asks_version, self.command, self.tls = version, command, tls

    def found(self):
        return self.program and (shutil.which(self.program) or os.access(self.program, os.X_OK))

    def version(self):
        out = subprocess.run([self.program] + self.asks_version, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=60).stdout
        number = re.search(r"\d+\.\d+\.\d+", out)
        return number.group(0) if number else out.strip()


def refgate_listen(port, tls, site):
    if not tls:
        return "listen: 127.0.0.1:%d" % port
    return ('listen: { address: "127.0.0.1:%d", tls: true }\ntls: { certificates: [{ certificate: "%s", key: "%s" }] }'
            % (port, site.certificate, site.key))


def all_peers():
    """Every proxy that the bench knows, by name; refgate is the last."""
    binary = os.environ.get("REFGATE") or os.path.join(HERE, "..", "target", "release", "refgate")
    known = [
        Peer("nginx", "nginx.conf", "/usr/sbin/nginx", ["-v"],
             lambda program, path, workers: [program, "-p", os.path.dirname(path), "-e", path + ".log", "-c", path],
             lambda site: "ssl http2"),
        Peer("haproxy", "haproxy.cfg", "/usr/sbin/haproxy", ["-v"],
             lambda program, path, workers: [program, "-db", "-f", path],
             lambda site: "ssl crt %s alpn h2,http/1.1 ssl-min-ver TLSv1.2" % site.pem),
        # The kernel moves the bodies: half the cost of a plain 1 MiB, a tenth more for 32 KiB, nothing over TLS.
        Peer("haproxy-splice", "haproxy.cfg", "/usr/sbin/haproxy", ["-v"],
             lambda program, path, workers: [program, "-db", "-f", path], None, "h1-1m", "option splice-response"),
        Peer("caddy", "Caddyfile", "/usr/bin/caddy", ["version"],
             lambda program, path, workers: [program, "run", "--adapter", "caddyfile", "--config", path],
             lambda site: "tls %s %s" % (site.certificate, site.key)),
        Peer("envoy", "envoy.yaml", os.environ.get("ENVOY"), ["--version"],
             lambda program, path, workers: [program, "-c", path, "--concurrency", str(workers), "-l", "error",
                                             "--disable-hot-restart"],
             lambda site: ENVOY_TLS % (site.certificate, site.key)),
        Peer("refgate", "refgate.yaml", os.path.abspath(binary), ["--version"],
             lambda program, path, workers: [program, "--config", path, "run"],
             lambda site: ""),
    ]
    return {peer.name: peer for peer in known}


class Site:
    """What all proxies of a run share: a folder, a certificate, pages; and the shop, once started."""

    def __init__(self, suite):
        self.suite, self.folder, self.shop_port, self.count = suite, suite.workdir, None, 0
        os.chmod(self.folder, 0o755)  # nginx's worker is another user
        self.certificate, self.key, self.pem = (
            os.path.join(self.folder, "shop." + end) for end in ("crt", "key", "pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", "/CN=" + HOST, "-addext", "subjectAltName=DNS:" + HOST, "-addext",
                        "basicConstraints=critical,CA:FALSE", "-keyout", self.key, "-out", self.certificate],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(self.pem, "w") as file:
            for part in (self.certificate, self.key):
                with open(part) as source:
                    file.write(source.read())

    def fill(self, template, values):
        """Writes a template with its @WORDS@ replaced to a new folder; returns the path."""
        self.count += 1
        folder = os.path.join(self.folder, "%03d-%s" % (self.count, template.partition(".")[0]))
        os.makedirs(folder)
        with open(os.path.join(HERE, "peers", template)) as file:
            text = re.sub("@([A-Z_]+)@", lambda word: str(values[word.group(1)]), file.read())
        path = os.path.join(folder, template)
        with open(path, "w") as file:
            file.write(text)
        return path

    def open_shop(self, cores="0"):
        """Starts the shop; returns its program."""
        self.shop_port = free_port()
        path = self.fill("shop.conf", {"SHOP_PORT": self.shop_port})
        os.symlink(os.path.join(self.folder, "pages"), os.path.join(os.path.dirname(path), "pages"))
        return self.suite.start("shop-%d" % self.count, pinned(cores, [
            "/usr/sbin/nginx", "-p", os.path.dirname(path), "-e", path + ".log", "-c", path]), self.shop_port)


class Running:
    """A started proxy. `wrap` are words to put before its command (valgrind); `single` asks for one process; `lines`
    makes further stores, rules and sections for refgate, from the shop's port."""

    def __init__(self, site, peer, tls=False, workers=1, cores="1", wrap=(), single=False, lines=None):
        self.site, self.peer, self.tls = site, peer, tls
        self.name, self.port = peer.name, free_port()
        values = {
            "PORT": self.port, "SHOP_PORT": site.shop_port, "ADMIN_PORT": free_port(), "WORKERS": workers,
            "SCHEME": "https" if tls else "http", "MASTER": "off" if single else "on",
            "CERTIFICATE": site.certificate, "KEY": site.key, "TLS": peer.tls(site) if tls else "",
            "LISTEN": refgate_listen(self.port, tls, site), "STORES": "", "RULES": "", "MORE": "",
            "SPLICE": peer.setting,
            **(lines(site.shop_port) if lines else {}),
        }
        path = site.fill(peer.template, values)
        self.log = "%s-%d" % (peer.name, site.count)
        command, folder = list(wrap) + peer.command(peer.program, path, workers), os.path.dirname(path)
        surroundings = {"GOMAXPROCS": str(workers), "XDG_DATA_HOME": folder, "HOME": folder}
        self.program = site.suite.start(self.log, pinned(cores, command), None, surroundings)
        try:
            wait_until("%s listens on %d" % (peer.name, self.port), lambda: listens(self.port) or self.alive(), 60)
        except TimeoutError:
            self.stop()
            raise

    @property
    def pid(self):
        return self.program.pid

    def alive(self):
        """False; raises when the program has ended, with its last words."""
        if self.program.poll() is not None:
            words = [line for line in self.site.suite.log(self.log).splitlines()
                     if line.strip() and not line.startswith("==")]  # those are valgrind's
            last = "; ".join(words[-3:]).replace(self.site.folder + "/", "")
            raise DoesNotStart(last or "it ended with %d" % self.program.returncode)
        return False

    def stop(self):
        self.site.suite.stop(self.program)


class DoesNotStart(Exception):
    """A proxy refuses its configuration; the text is what it said."""


def pinned(cores, command):
    """The command on some cores only; where there is one core, or `cores` is None, as it stands."""
    return ["taskset", "-c", cores] + command if cores and os.cpu_count() > 1 else command
