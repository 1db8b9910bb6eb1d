//! Config: `proxy.yaml` → each stage's settings, or every fault at once.
//!
//! - `yaml` is the text with positions, `reader`, `value` and `text` the fault-collecting access,
//!   and then one file a topic. Only this module knows YAML.
//! - Every fault is told in one go, with its line, column, path, what was found and what is expected.
//! - A value that came from a variable or a file stands in no fault, warning or report.
//!
//! It reads no environment by itself and, but for the key file, writes nothing.

mod added;
mod addresses;
mod admin;
mod alarms;
mod answers;
mod assemble;
mod authority;
mod consent;
mod cookie;
mod egress;
mod exclude;
mod expand;
mod fault;
mod fields;
mod file;
mod guard;
mod hand_over;
mod held;
mod hosts;
pub mod keys;
mod ledger;
mod limits;
mod networks;
mod pattern;
mod proof;
mod reader;
pub mod report;
mod returns;
mod rules;
mod scope;
mod sensitive;
mod stores;
mod text;
mod tls;
mod units;
mod upstream_tls;
mod upstreams;
mod value;
mod webhooks;
mod when;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::ledger::{Settings as Ledger, Whose};
use crate::name::{ConfigName, GroupName};
use crate::secret::Secret;
use crate::store::Stores;
use crate::{accept, access, acme, alarm, capture, deliver, forward, observe, record};

pub use fault::{Faults, Finding, Position, Problem, Suggestion};

use reader::{Context, Map};

/// What every stage does.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where and how connections are accepted.
    pub accept: accept::Settings,
    /// Which certificates an authority is asked for.
    pub acme: Option<acme::Settings>,
    /// How clicks are recognised and remembered.
    pub capture: capture::Settings,
    /// Who is no shopper.
    pub exclude: crate::exclude::Settings,
    /// How the shop is spoken to.
    pub forward: forward::Settings,
    /// What is watched.
    pub observe: observe::Settings,
    /// How orders are judged and kept.
    pub record: record::Settings,
    /// What the configuration is called, where it has a name.
    pub name: Option<ConfigName>,
    /// Where the ledger is.
    pub ledger: Ledger,
    /// How long orders are kept after their last change; none: for ever.
    pub keep: Option<Duration>,
    /// How postbacks are sent.
    pub deliver: deliver::Settings,
    /// The stores, by host.
    pub stores: Stores,
    /// Where the operator looks and steers.
    pub admin: Option<crate::admin::Settings>,
    /// What is looked at for alarms, and who is told of them.
    pub alarms: alarm::Settings,
    /// What is added to requests and responses.
    pub forwarding: forward::options::Options,
    /// How the line of a request looks, if there is one.
    pub access_log: Option<access::Format>,
    /// Whether the file is read again when it changes.
    pub watch: bool,
    /// Where the cookie's keys are.
    pub keys: keys::Source,
    /// Where those of the groups are that have keys of their own.
    pub group_keys: BTreeMap<GroupName, keys::Source>,
    /// What variables and files gave as free text: masked wherever settings are shown.
    pub secrets: Vec<Secret>,
}

impl Settings {
    /// What a ledger knows this configuration by.
    pub fn whose(&self) -> Whose {
        let hosts = self
            .stores
            .all()
            .iter()
            .flat_map(|store| store.hosts.iter());
        Whose {
            name: self.name.clone(),
            hosts: hosts.cloned().collect(),
        }
    }
}

/// A configuration without faults.
#[derive(Debug)]
pub struct Loaded {
    /// What to do.
    pub settings: Settings,
    /// What is possible, but probably not meant.
    pub warnings: Vec<Finding>,
    /// Every key that was asked for, in general form (`stores.NAME.hosts`): what the reference must explain.
    pub keys: BTreeSet<String>,
}

/// The operator's listener in the file `path`, with those of its tokens that can be read, whatever else is wrong with it: that is for the one
/// that runs to say, by its own environment.
///
/// # Errors
/// The file cannot be read, is no YAML, or has something else in that place.
pub fn admin(
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<crate::admin::Settings>, Faults> {
    let faults = |findings| Faults::new(path, findings);
    let text = file::read(path).map_err(|finding| faults(vec![finding]))?;
    let node = yaml::parse(&text).map_err(faults)?;
    let cx = Context::new(path.parent().unwrap_or(Path::new("")), env);
    let admin = admin::read(&Map::root(&cx, &node), &[], admin::Tokens::Own);
    let notes = cx.finish();
    match notes.faults.is_empty() {
        true => Ok(admin),
        false => Err(faults(notes.faults)),
    }
}

/// Reads the file `path`, with variables from `env`; `missing` says what to do where the key file is not there.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(
    path: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    missing: keys::Missing,
) -> Result<Loaded, Faults> {
    let faults = |findings| Faults::new(path, findings);
    let text = file::read(path).map_err(|finding| faults(vec![finding]))?;
    let node = yaml::parse(&text).map_err(faults)?;
    let cx = Context::new(path.parent().unwrap_or(Path::new("")), env);
    let settings = assemble::settings(&Map::root(&cx, &node), missing);
    let notes = cx.finish();
    let Some(settings) = settings.filter(|_| notes.faults.is_empty()) else {
        return Err(faults(notes.faults));
    };
    Ok(Loaded {
        settings: Settings {
            secrets: notes.secrets,
            ..settings
        },
        warnings: notes.warnings,
        keys: notes.known,
    })
}
