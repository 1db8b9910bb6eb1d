//! Who steers, as the record shows it.

use super::Environment;
use crate::actor::Actor;

/// Who says so.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct By {
    /// Who says so, for the record [default: `SUDO_USER`, `USER` or the user's number]
    #[arg(long, value_name = "NAME")]
    pub actor: Option<Actor>,
}

impl By {
    /// The name given, or else the user's, or his number.
    pub fn name(&self, env: Environment<'_>) -> Actor {
        let users = ["SUDO_USER", "USER", "LOGNAME"].into_iter();
        let mut users = users.filter_map(|name| env(name)?.parse().ok());
        let given = self.actor.clone().or_else(|| users.next());
        let number = || format!("uid {}", rustix::process::getuid().as_raw());
        given
            .or_else(|| number().parse().ok())
            .unwrap_or_else(Actor::unknown)
    }
}
