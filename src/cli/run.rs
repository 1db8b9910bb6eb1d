//! `refgate run`: serve until told to end.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, warn};

use crate::app::{App, Error};
use crate::clock::Time;
use crate::config::Loaded;

/// Serves by a configuration without faults.
///
/// # Errors
/// An address, the ledger or the system refuses.
pub fn run(loaded: Loaded) -> Result<(), Error> {
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    App::start(loaded.settings, Time::now())?.run(told_to_end())?;
    Ok(())
}

/// Ready at the first SIGTERM or SIGINT. A second one ends the process at once:
/// whoever asks twice does not want to wait.
pub async fn told_to_end() {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        error!("signals cannot be received; only SIGKILL ends this process");
        return std::future::pending().await;
    };
    either(&mut terminate, &mut interrupt).await;
    #[expect(
        clippy::disallowed_methods,
        reason = "it must not hold up the draining it cuts short"
    )]
    tokio::spawn(async move {
        either(&mut terminate, &mut interrupt).await;
        #[expect(clippy::exit, reason = "the operator asked twice")]
        process::exit(1);
    });
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    // Cancel-safe: a signal that was not seen by one is seen by nobody, and one is enough.
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
