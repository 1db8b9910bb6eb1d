//! Where is listened, and what connections go through there.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::Error;
use crate::accept::passed::Passed;
use crate::accept::{self, Door, Listener, tls};
use crate::admin;
use crate::config::Settings;

/// Everything that is bound.
#[derive(Debug)]
pub(super) struct Listening {
    /// By worker, one listener for each address.
    pub(super) workers: Vec<Vec<TcpListener>>,
    /// What each listener's connections go through.
    pub(super) doors: Vec<Door>,
    /// What makes TLS of them, if any listener does.
    pub(super) tls: Option<tls::Acceptor>,
    /// The operator's.
    pub(super) admin: Option<admin::Listener>,
}

impl Listening {
    /// Binds every address for which no socket was passed.
    pub(super) fn begin(settings: &Settings, mut passed: Passed) -> Result<Self, Error> {
        let tls = acceptor(&settings.accept)?;
        let doors = doors(&settings.accept, tls.as_ref());
        let workers = bind(&settings.accept, &mut passed)?;
        let admin = settings.admin.clone();
        let admin = admin.map(|admin| admin::Listener::bind(admin, |address| passed.one(address)));
        let admin = admin.transpose()?;
        passed.finish()?;
        Ok(Self {
            workers,
            doors,
            tls,
            admin,
        })
    }

    /// Where shoppers are served.
    pub(super) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let first = self.workers.first().into_iter().flatten();
        first.map(TcpListener::local_addr).collect()
    }
}

/// Made where a listener needs it.
fn acceptor(settings: &accept::Settings) -> Result<Option<tls::Acceptor>, tls::Error> {
    if !settings.listen.iter().any(|listener| listener.tls) {
        return Ok(None);
    }
    tls::Acceptor::new(&settings.tls).map(Some)
}

/// One for each address.
fn doors(settings: &accept::Settings, tls: Option<&tls::Acceptor>) -> Vec<Door> {
    let door = |listener: &Listener| Door {
        tls: tls.filter(|_| listener.tls).cloned(),
        proxied: listener.proxy_protocol,
        redirect: listener.redirect,
    };
    settings.listen.iter().map(door).collect()
}

/// One listener per address for each worker.
fn bind(settings: &accept::Settings, passed: &mut Passed) -> Result<Vec<Vec<TcpListener>>, Error> {
    let mut by_worker: Vec<Vec<TcpListener>> = Vec::new();
    by_worker.resize_with(settings.workers.max(1), Vec::new);
    for Listener { address, .. } in &settings.listen {
        let (workers, stall) = (by_worker.len(), settings.stall_timeout);
        let listeners = match passed.shared(*address, workers, stall)? {
            Some(shared) => shared,
            None => accept::bind(*address, workers, stall)?,
        };
        for (worker, listener) in by_worker.iter_mut().zip(listeners) {
            worker.push(listener);
        }
    }
    Ok(by_worker)
}
