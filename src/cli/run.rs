//! `refgate run`: serve until told to end.

use std::io;
use std::path::Path;
use std::process;

use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, warn};

use super::Environment;
use super::supervisor::Supervisor;
use crate::accept::passed::Passed;
use crate::app::{Again, App, Error};
use crate::clock::Time;
use crate::config::keys::Missing;
use crate::config::{self, Loaded};
use crate::reload::{self, Asking};

/// Serves by a configuration without faults, on the sockets that were passed. `path` is where it
/// was read, and is read again when somebody asks for that.
///
/// # Errors
/// An address, the ledger or the system refuses.
pub fn run(loaded: Loaded, passed: Passed, path: &Path, env: Environment<'_>) -> Result<(), Error> {
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let supervisor = Supervisor::find(env);
    outlive_signals()?;
    let app = App::start_on(passed, loaded.settings, Time::now())?;
    let (asking, asked) = reload::channel();
    let load = || {
        supervisor.reloading();
        config::load(path, env, Missing::Pretend)
    };
    let over = || supervisor.ready();
    let again = Again {
        path,
        load: &load,
        over: &over,
        asked,
    };
    let end = async {
        let hangup = signal(SignalKind::hangup());
        // The sockets listen, and from here on no signal ends what it should not.
        supervisor.ready();
        tokio::select! {
            () = told_to_end() => supervisor.stopping(),
            () = told_to_reload(hangup, &asking) => {}
        }
    };
    app.run_again(end, Some((again, asking.clone())))?;
    Ok(())
}

/// From here on two signals end nothing: SIGHUP, on which nobody acts yet, as the configuration has only just been read;
/// and SIGXFSZ, which comes with a write beyond a limit for files. That write fails, like one to a full disk.
fn outlive_signals() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    // The process keeps the handlers when these listeners go.
    signal(SignalKind::hangup()).map(drop)?;
    signal(too_large).map(drop)
}

/// Asks for another configuration at each SIGHUP; never ready.
async fn told_to_reload(hangup: io::Result<Signal>, asking: &Asking) {
    let Ok(mut hangup) = hangup else {
        error!("SIGHUP cannot be received; `refgate reload` reads the configuration again");
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        // What comes of it is in the log.
        asking.ask().await.ok();
    }
    std::future::pending::<()>().await;
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
