//! Certificate files that change while we serve.
//!
//! They are looked at, not listened to: that works through symbolic links that are swapped
//! (certbot, Kubernetes) and on network file systems. Certificate and key change one after the
//! other, so a pair is read only when two looks found the same.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::certificate::{Certificate, Error, Files};
use super::store::{Certificates, lock};
use crate::alarm::Alarm;
use crate::cause::Causes;
use crate::clock::Time;
use crate::event::{Counters, Event};

/// A certificate, the files that it came from, and how those looked.
#[derive(Debug)]
pub(super) struct Watched {
    files: Files,
    pub(super) certificate: Certificate,
    /// When they were read, with success or not.
    read: Stamps,
    /// At the last look.
    seen: Stamps,
}

/// How both files look; none of a file that is not there.
type Stamps = [Option<Stamp>; 2];

/// What changes when a file does: a new one has another inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let about = fs::metadata(path)?;
        Ok(Self {
            device: about.dev(),
            inode: about.ino(),
            length: about.len(),
            modified: (about.mtime(), about.mtime_nsec()),
        })
    }
}

impl Watched {
    /// What it is called, and when it ends.
    pub(super) fn end(&self) -> (String, Time) {
        (subject(&self.files), self.certificate.valid_until)
    }

    pub(super) fn open(files: &Files) -> Result<Self, Error> {
        // Before reading: what changes meanwhile is seen at the next look.
        let stamps = stamps(files);
        let certificate = Certificate::read(files)?;
        Ok(Self {
            files: files.clone(),
            certificate,
            read: stamps,
            seen: stamps,
        })
    }

    /// Whether there is another certificate now.
    fn look(&mut self, now: Time, counters: &Counters) -> bool {
        let stamps = stamps(&self.files);
        let settled = stamps == self.seen;
        self.seen = stamps;
        if !settled || stamps == self.read {
            return false;
        }
        self.read = stamps;
        match Certificate::read(&self.files) {
            Ok(certificate) => {
                info!(
                    certificate = %self.files.certificate.display(),
                    until = %certificate.valid_until,
                    "a changed certificate is in use"
                );
                counters.add(Event::CertificateChanged);
                let alarms = counters.alarms();
                alarms.clear(Alarm::CertificateFails, &subject(&self.files), now);
                self.certificate = certificate;
                true
            }
            Err(error) => {
                counters.add(Event::CertificateFailed);
                let path = refused(&self.files, &error);
                error!(
                    file = %path.display(),
                    error = %Causes(&error),
                    "a changed certificate cannot be used; the one before stays"
                );
                let words = format!(
                    "a changed certificate cannot be used, the one before stays: {}: {}",
                    path.display(),
                    Causes(&error)
                );
                let alarms = counters.alarms();
                alarms.raise(Alarm::CertificateFails, &subject(&self.files), &words, now);
                false
            }
        }
    }
}

impl Certificates {
    /// Looks at the files `every` so often until shutdown.
    pub async fn watch(
        self: Arc<Self>,
        every: Duration,
        counters: Arc<Counters>,
        shutdown: CancellationToken,
    ) {
        if lock(&self.held).files.is_empty() {
            return;
        }
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = shutdown.cancelled() => return,
            }
            let (certificates, counters) = (Arc::clone(&self), Arc::clone(&counters));
            let looking = move || certificates.look(Time::now(), &counters);
            // A disk may take its time.
            if let Err(error) = tokio::task::spawn_blocking(looking).await {
                error!(%error, "looking at the certificates panicked");
            }
        }
    }

    /// Looks once.
    fn look(&self, now: Time, counters: &Counters) {
        let mut held = lock(&self.held);
        let mut changed = false;
        for watched in &mut held.files {
            changed |= watched.look(now, counters);
        }
        if changed {
            self.swap(&held);
        }
    }
}

fn stamps(files: &Files) -> Stamps {
    [&files.certificate, &files.key].map(|path| Stamp::of(path).ok())
}

/// The file at fault.
pub(super) fn refused<'a>(files: &'a Files, error: &Error) -> &'a Path {
    if error.is_about_key() {
        &files.key
    } else {
        &files.certificate
    }
}

/// What an alarm for it is called.
fn subject(files: &Files) -> String {
    files.certificate.display().to_string()
}
