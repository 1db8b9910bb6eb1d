//! The binary itself, as an operator runs it.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::wire::{PATIENCE, Wire};

/// A process that serves; dropped, it is told to end.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    /// Every line of its log that was looked at.
    pub(crate) log: Vec<String>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) folder: TempDir,
}

/// How it is started.
/// What is done with the folder before the start.
type Before = Box<dyn FnOnce(&std::path::Path)>;

#[derive(Default)]
pub(crate) struct Start {
    env: Vec<(&'static str, String)>,
    socket: Option<TcpListener>,
    before: Option<Before>,
    filter: Option<&'static str>,
}

impl Start {
    pub(crate) fn env(mut self, name: &'static str, value: String) -> Self {
        self.env.push((name, value));
        self
    }

    /// What is logged.
    pub(crate) fn log(mut self, filter: &'static str) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Passes this socket, as systemd does.
    pub(crate) fn socket(mut self, socket: TcpListener) -> Self {
        self.socket = Some(socket);
        self
    }

    /// Prepares the folder of the configuration.
    pub(crate) fn before(mut self, prepare: impl FnOnce(&std::path::Path) + 'static) -> Self {
        self.before = Some(Box::new(prepare));
        self
    }

    /// Runs it on `proxy.yaml` with this text, until it serves on `addresses` addresses.
    pub(crate) fn run(self, text: &str, addresses: usize) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("proxy.yaml"), text).unwrap();
        if let Some(prepare) = self.before {
            prepare(folder.path());
        }
        let binary = env!("CARGO_BIN_EXE_refgate");
        let mut command = match self.socket {
            None => Command::new(binary),
            Some(socket) => {
                // The shell's own process becomes the binary's, so LISTEN_PID is right.
                let mut shell = Command::new("/bin/sh");
                shell.args([
                    "-c",
                    "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"",
                ]);
                shell
                    .arg(binary)
                    .stdin(Stdio::from(std::os::fd::OwnedFd::from(socket)));
                shell
            }
        };
        let command = command
            .args(["run", "--log", self.filter.unwrap_or("info"), "--config"])
            .arg(folder.path().join("proxy.yaml"));
        command
            .envs(self.env)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (told, lines) = channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        let mut daemon = Daemon {
            child,
            lines,
            log: Vec::new(),
            addresses: Vec::new(),
            folder,
        };
        for _ in 0..addresses {
            let line = daemon.says("serving address=");
            let address = line.rsplit('=').next().unwrap();
            daemon.addresses.push(address.parse().unwrap());
        }
        daemon
    }
}

impl Daemon {
    /// Waits until its log has a line with these words.
    pub(crate) fn says(&mut self, words: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("never said {words:?}:\n{}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::to(self.addresses[0])
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Puts another configuration in the place of its own.
    pub(crate) fn rewrite(&self, text: &str) {
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, self.folder.path().join("proxy.yaml")).unwrap();
    }

    /// Another command on its configuration.
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_refgate"));
        let config = self.folder.path().join("proxy.yaml");
        command
            .args(words)
            .arg("--config")
            .arg(config)
            .output()
            .unwrap()
    }

    /// What it writes to standard output, line by line.
    pub(crate) fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.child.stdout.take().unwrap())
    }

    /// Ends it as the system would; its exit code.
    pub(crate) fn end(self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Its exit code, once it has ended.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
