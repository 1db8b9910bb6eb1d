"""A PostgreSQL server from Debian's binaries, for the suites that need one."""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile

from suite import free_port, wait_until


class Server:
    """A PostgreSQL server in a folder of its own, on a free port of 127.0.0.1."""

    def __init__(self, suite):
        self.suite, self.program = suite, None
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))[-1:] or [shutil.which("postgres")]
        self.bin = os.path.dirname(os.path.realpath(self.bin[0]))
        self.dir = tempfile.mkdtemp(prefix="refgate-postgres-")  # its user must be able to come here
        self.port, self.data = free_port(), os.path.join(self.dir, "data")
        os.chmod(self.dir, 0o755)
        self.certificates()
        self.user = []
        if os.getuid() == 0:  # PostgreSQL refuses to be root's
            user = next(name for name in ("postgres", "nobody") if self.knows(name))
            entry = pwd.getpwnam(user)
            self.user = ["setpriv", "--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups"]
            for path in [self.dir, *glob.glob(os.path.join(self.dir, "*"))]:
                os.chown(path, entry.pw_uid, entry.pw_gid)
        subprocess.run([*self.user, os.path.join(self.bin, "initdb"), "-D", self.data, "-U", "refgate", "-A", "trust",
                        "-E", "UTF8", "--locale=C.UTF-8"], check=True, timeout=120, cwd=self.dir,
                       stdout=subprocess.DEVNULL)
        self.start()

    @staticmethod
    def knows(name):
        try:
            return bool(pwd.getpwnam(name))
        except KeyError:
            return False

    def certificates(self):
        """An authority, and a certificate for localhost alone."""
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, timeout=60, cwd=self.dir, stderr=subprocess.DEVNULL)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.crt")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                "-keyout", "server.key", "-out", "server.csr")
        with open(os.path.join(self.dir, "names"), "w", encoding="ascii") as names:
            names.write("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-extfile", "names", "-out", "server.crt")
        os.chmod(os.path.join(self.dir, "server.key"), 0o600)

    def start(self):
        path = lambda name: os.path.join(self.dir, name)  # noqa: E731
        settings = {"listen_addresses": "127.0.0.1", "fsync": "on", "max_connections": 300, "ssl": "on",
                    "ssl_cert_file": path("server.crt"), "ssl_key_file": path("server.key")}
        words = [word for name, value in settings.items() for word in ("-c", "%s=%s" % (name, value))]
        self.program = self.suite.start("postgres", [*self.user, os.path.join(self.bin, "postgres"), "-D", self.data,
                                                     "-p", str(self.port), "-k", self.dir, *words], self.port)
        wait_until("postgres takes queries", lambda: self.sql("SELECT 1", check=False) == "1", 120)

    def end(self):
        self.suite.stop(self.program)
        shutil.rmtree(self.dir, ignore_errors=True)

    def sql(self, text, database="postgres", check=True):
        done = subprocess.run([os.path.join(self.bin, "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U",
                               "refgate", "-d", database, "-Atc", text], check=check, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return done.stdout.strip()

    def url(self, database, host="127.0.0.1", mode="disable"):
        return "postgres://refgate@%s:%d/%s?sslmode=%s" % (host, self.port, database, mode)
