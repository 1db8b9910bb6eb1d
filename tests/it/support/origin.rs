//! A shop on a raw socket: each connection runs a script of the test's.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::wire::Wire;

pub(crate) struct Origin {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    connections: AtomicUsize,
    over: AtomicBool,
    seen: Mutex<Vec<Vec<u8>>>,
    scripts: Mutex<Vec<JoinHandle<()>>>,
}

impl Origin {
    /// `script` gets each connection and its number, from 0; when it returns the connection closes.
    pub(crate) fn new(script: impl Fn(&mut Wire, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            connections: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            seen: Mutex::default(),
            scripts: Mutex::default(),
        });
        let script = Arc::new(script);
        let inner = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if inner.over.load(Ordering::SeqCst) {
                    return;
                }
                let number = inner.connections.fetch_add(1, Ordering::SeqCst);
                let (script, shared) = (Arc::clone(&script), Arc::clone(&inner));
                let running = std::thread::spawn(move || {
                    let mut wire = Wire::new(stream);
                    script(&mut wire, number);
                    shared.seen.lock().unwrap().push(wire.seen);
                });
                inner.scripts.lock().unwrap().push(running);
            }
        });
        Self {
            addr,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Answers every request the same way, bodies of requests read to their end.
    pub(crate) fn always(answer: &'static str) -> Self {
        Self::new(move |wire, _| {
            while !wire.is_over() {
                wire.message(false);
                wire.say(answer);
            }
        })
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Everything that came in, connection by connection in the order of their ends.
    pub(crate) fn seen(mut self) -> Vec<Vec<u8>> {
        self.end();
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }

    fn end(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        self.shared.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addr));
        acceptor.join().unwrap();
        let scripts = std::mem::take(&mut *self.shared.scripts.lock().unwrap());
        for script in scripts {
            if let Err(panic) = script.join()
                && !std::thread::panicking()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // Where the test has failed already, its scripts may wait for what never comes.
        if !std::thread::panicking() {
            self.end();
        }
    }
}
