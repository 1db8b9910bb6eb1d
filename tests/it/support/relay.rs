//! What lies between the app and its database: it passes bytes, stalls or is cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What it does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Passes them.
    Pass,
    /// Keeps them, on connections that stay open.
    Stall,
    /// Connections are cut, new ones at once.
    Cut,
}

pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    way: Arc<watch::Sender<Way>>,
    shutdown: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// To the server at `to`.
    pub(crate) fn to(to: String, way: Way) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let way = Arc::new(watch::Sender::new(way));
        let shutdown = CancellationToken::new();
        let (told, ways) = (shutdown.clone(), Arc::clone(&way));
        let thread = std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, &to, &ways) => {}
                    () = told.cancelled() => {}
                }
            });
        });
        Self {
            addr,
            way,
            shutdown,
            thread: Some(thread),
        }
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.thread.take().unwrap().join().ok();
    }
}

async fn accept(listener: TcpListener, to: &str, way: &watch::Sender<Way>) {
    let tasks = TaskTracker::new();
    loop {
        let (client, _peer) = listener.accept().await.unwrap();
        if *way.borrow() == Way::Cut {
            continue;
        }
        let server = TcpStream::connect(to).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let (there, back, mut cut) = (way.subscribe(), way.subscribe(), way.subscribe());
        tasks.spawn(async move {
            tokio::select! {
                () = pass(&mut from_client, &mut to_server, there) => {}
                () = pass(&mut from_server, &mut to_client, back) => {}
                _ = cut.wait_for(|way| *way == Way::Cut) => {}
            }
        });
    }
}

async fn pass(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut way: watch::Receiver<Way>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        way.wait_for(|way| *way == Way::Pass).await.ok();
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
