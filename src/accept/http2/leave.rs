//! The end of a connection (RFC 9113 §5.4.1, §6.8).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use tracing::debug;

use super::clock::Late;
use super::fault::{Code, Fault};
use super::flow::LARGEST;
use super::{Connection, Service, frame};
use crate::wire::Stream;

/// The PING behind the first GOAWAY: when its answer comes, the client has read both.
pub(super) const DRAIN: [u8; 8] = *b"draining";

/// How long, and how often, a client is read on whose connection we end.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_READS: usize = 64;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// The client was asked to open no more streams, or said that it will not; those that it
    /// opens meanwhile are served.
    Soon,
    /// The last stream was named, and is waited for.
    Named,
    /// What waits is written, nothing else happens.
    Now,
}

impl Leaving {
    /// Whether frames are still looked at.
    pub(super) fn hears(self) -> bool {
        self != Self::Now
    }

    pub(super) fn takes_requests(self) -> bool {
        matches!(self, Self::No | Self::Soon)
    }
}

impl<S: Service> Connection<S> {
    /// The process is to end. A client may be sending a request just now: it is told first,
    /// and the last stream is named when it has heard of it.
    pub(super) fn drain(&mut self) {
        if self.leaving != Leaving::No || self.is_quiet() {
            return self.finish_streams();
        }
        self.leaving = Leaving::Soon;
        self.link.output.control(|out| {
            frame::goaway(out, LARGEST, Code::NoError, "");
            frame::ping(out, false, DRAIN);
        });
    }

    /// The client has heard that the process is to end.
    pub(super) fn drained(&mut self) {
        if self.leaving == Leaving::Soon {
            self.name_last(Code::NoError, "");
        }
    }

    /// Ends when the streams that there are have ended.
    pub(super) fn finish_streams(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Soon;
        }
    }

    fn name_last(&mut self, code: Code, why: &str) {
        self.leaving = Leaving::Named;
        let last = self.link.last;
        let goaway = |out: &mut Vec<u8>| frame::goaway(out, last, code, why);
        self.link.output.control(goaway);
    }

    /// Nothing is to be finished. A tunnel does not count: it has no end that could be waited for.
    fn is_quiet(&mut self) -> bool {
        self.streams
            .iter_mut()
            .all(|(_, stream)| stream.work.is_tunnel())
    }

    /// Ends the connection once nothing is left to be finished.
    pub(super) fn leave_when_done(&mut self) {
        if matches!(self.leaving, Leaving::No | Leaving::Now) || !self.is_quiet() {
            return;
        }
        if self.leaving == Leaving::Soon {
            self.name_last(Code::NoError, "");
        }
        self.stop();
        self.write();
    }

    /// Ends the connection by a fault of the client.
    pub(super) fn fail(&mut self, fault: Fault) {
        let (code, why) = match fault {
            Fault::Connection(code, why) => (code, why),
            Fault::Stream(_, code) => (code, ""),
        };
        debug!(?code, why, "a connection was refused");
        self.name_last(code, why);
        self.stop();
    }

    /// Cancels everything; what waits is still written.
    fn stop(&mut self) {
        self.leaving = Leaving::Now;
        self.streams.clear();
        self.link.turn.clear();
        self.due.clear();
    }

    /// The other side is gone: nothing is written any more.
    pub(super) fn abandon(&mut self) {
        self.is_whole = false;
        self.stop();
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        let written = self.link.output.is_empty() && !self.clock.is_stuck();
        !self.is_whole || (self.leaving == Leaving::Now && written)
    }

    /// A deadline has passed.
    pub(super) fn late(&mut self, late: Late) {
        match late {
            Late::Stuck => {
                debug!("a client takes nothing");
                self.abandon();
            }
            Late::Head if self.intake.is_silent() => {
                let why = "no SETTINGS came";
                self.fail(Fault::Connection(Code::SettingsTimeout, why));
            }
            Late::Head => {
                if self.intake.owes_request() {
                    self.link.refused();
                }
                let why = "a frame or a header block did not end";
                self.fail(Fault::Connection(Code::EnhanceYourCalm, why));
            }
            Late::Idle => {
                self.clock.be_idle(false);
                self.finish_streams();
            }
            Late::Blocked => self.reset_blocked(),
            Late::Park => self.park(),
        }
    }

    /// Nothing is going on: keeps no memory for what may come.
    fn park(&mut self) {
        self.clock.park();
        self.streams.clear();
        self.link.turn = VecDeque::new();
        self.woken = Vec::new();
        self.due = Vec::new();
    }

    /// Ends the streams whose client lets nothing through for too long.
    fn reset_blocked(&mut self) {
        let now = Instant::now();
        let mut stalled = Vec::new();
        self.clock.unblock();
        for (at, stream) in self.streams.iter_mut() {
            match stream.blocked {
                Some(since) if self.clock.is_stalled(since, now) => stalled.push(at),
                Some(since) => self.clock.block(since),
                None => {}
            }
        }
        for at in stalled {
            debug!("a client opens no window");
            self.broken(at, Code::Cancel);
        }
    }
}

/// Reads on a little before closing: bytes left unread make the kernel send RST, and that may
/// destroy our last frames before the client has read them.
pub(super) async fn close(stream: &mut Stream) {
    let mut scrap = vec![0; 16 * 1024];
    let reading = async {
        stream.shutdown().await?;
        for _ in 0..LINGER_READS {
            if stream.read(&mut scrap).await? == 0 {
                break;
            }
        }
        Ok::<_, std::io::Error>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(LINGER, reading).await {
        debug!(%error, "a connection broke while closing");
    }
}
