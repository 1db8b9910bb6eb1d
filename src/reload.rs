//! Reload: another configuration, asked for from several sides and done at one place.

use tokio::sync::{mpsc, oneshot};

/// Askers that may wait; a further one waits to be let in.
const WAITING: usize = 4;

/// What came of it, in words for the operator: what is in force now, or why nothing changed.
pub type Outcome = Result<String, String>;

/// One asks for the configuration to be read again.
#[derive(Debug)]
pub struct Asked(oneshot::Sender<Outcome>);

/// Where to ask. Clones ask at the same place.
#[derive(Clone, Debug)]
pub struct Asking(mpsc::Sender<Asked>);

/// Where to ask, and what was asked.
pub fn channel() -> (Asking, mpsc::Receiver<Asked>) {
    let (asking, asked) = mpsc::channel(WAITING);
    (Asking(asking), asked)
}

impl Asking {
    /// Asks, and waits for what comes of it.
    ///
    /// # Errors
    /// Why the configuration stays as it is.
    pub async fn ask(&self) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let gone = || "refgate is ending".to_owned();
        if self.0.send(Asked(answer)).await.is_err() {
            return Err(gone());
        }
        answered.await.unwrap_or_else(|_gone| Err(gone()))
    }
}

impl Asked {
    /// Tells the asker, who may not wait any more.
    pub fn answer(self, outcome: Outcome) {
        self.0.send(outcome).ok();
    }
}
