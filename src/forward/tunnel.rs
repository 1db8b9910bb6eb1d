//! After the shop's 101: bytes both ways, until both sides have ended.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;
use tracing::debug;

/// Read at once, each way.
const BUFFER: usize = 16 * 1024;

/// Joins the client and the shop. One side's end is passed on and the other way stays open; after
/// `limit` without a byte either way, both are closed.
pub(super) async fn run(client: OnUpgrade, shop: OnUpgrade, limit: Duration) {
    let (client, shop) = match tokio::try_join!(client, shop) {
        Ok(both) => both,
        Err(error) => {
            debug!(%error, "an upgrade came to nothing");
            return;
        }
    };
    let (client_reads, client_writes) = tokio::io::split(TokioIo::new(client));
    let (shop_reads, shop_writes) = tokio::io::split(TokioIo::new(shop));
    let last = Mutex::new(Instant::now());
    let both = async {
        tokio::try_join!(
            copy(client_reads, shop_writes, &last),
            copy(shop_reads, client_writes, &last),
        )
    };
    tokio::select! {
        ended = both => if let Err(error) = ended {
            debug!(%error, "a tunnel broke off");
        },
        () = silence(&last, limit) => debug!("a tunnel was silent for {limit:?}"),
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    last: &Mutex<Instant>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(bytes).await?;
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

async fn silence(last: &Mutex<Instant>, limit: Duration) {
    loop {
        let deadline = *last.lock().unwrap_or_else(PoisonError::into_inner) + limit;
        if deadline <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(deadline).await;
    }
}
