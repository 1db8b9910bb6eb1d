//! Whether bytes have come to the other end's kernel, as Linux tells it in /proc/net/tcp: on a busy
//! machine that may be a while after they were sent.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::wire::PATIENCE;

/// The two ends of a connection over IPv4, of which the far one is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    near: SocketAddr,
    far: SocketAddr,
}

impl Ends {
    /// `stream` is the near one.
    pub(crate) fn of(stream: &TcpStream) -> Self {
        Self {
            near: stream.local_addr().unwrap(),
            far: stream.peer_addr().unwrap(),
        }
    }

    /// Waits until the far end has something to read, be it the end.
    pub(crate) fn wait_for_arrival(self) {
        const CLOSE_WAIT: &str = "08";
        self.wait(|row| {
            let [_, _, _, state, queues, ..] = row.unwrap_or_default() else {
                return false;
            };
            *state == CLOSE_WAIT || !queues.ends_with(":00000000")
        });
    }

    /// Waits until the far end has heard of a reset.
    pub(crate) fn wait_for_reset(self) {
        self.wait(|row| row.is_none());
    }

    fn wait(self, done: impl Fn(Option<&[&str]>) -> bool) {
        let start = Instant::now();
        let port = |addr: SocketAddr| format!(":{:04X}", addr.port());
        let (own, other) = (port(self.far), port(self.near));
        while start.elapsed() < PATIENCE {
            let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
            let rows = table.lines().map(|line| line.split_whitespace().collect());
            let mut rows = rows.filter(|row: &Vec<&str>| {
                row.len() > 4 && row[1].ends_with(&own) && row[2].ends_with(&other)
            });
            if done(rows.next().as_deref()) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("nothing came from {} to {}", self.near, self.far);
    }
}
