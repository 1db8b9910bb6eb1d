//! The command line: one file a subcommand.
//!
//! Exit codes: 0 done, 1 not done, 2 compared and not the same, 64 the configuration or the command is wrong
//! (`EX_USAGE`).

pub mod affiliates;
pub mod alarms;
pub mod ask;
pub mod by;
pub mod check;
pub mod compare;
pub mod decisions;
pub mod demo;
pub mod explain;
pub mod export;
pub mod go;
pub mod held;
pub mod import;
pub mod key;
pub mod known;
pub mod ledger;
pub mod log;
pub mod orders;
pub mod out;
pub mod pause;
pub mod postbacks;
pub mod reconcile;
pub mod reload;
pub mod report;
pub mod rows;
pub mod run;
pub mod say;
pub mod shadow_report;
pub mod sheet;
pub mod status;
pub mod steer;
pub mod supervisor;
pub mod test;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime;

use crate::accept::passed::Passed;
use crate::cause::Causes;
use crate::clock::Time;
use crate::config::keys::Missing;
use crate::config::{self, Faults, Loaded};
use crate::demo::scene;
use crate::inert;
use crate::ledger::{Ledger, Role};
use crate::record::spool::Spool;
use out::Inert;

/// The configuration or the command is wrong: `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// What was compared is not the same.
const DIFFERS: u8 = 2;

/// The value of an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A reverse proxy that credits affiliates for the sales of an unmodified shop.
///
/// Start with `refgate demo`: a shop, a network and the proxy between them, on this machine.
/// Then copy proxy.yaml, change it for your own shop, and ask `refgate check`.
#[derive(Debug, Parser)]
#[command(name = "refgate", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration [default: proxy.yaml; for the demo the one that comes with it]
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value_t)]
    log_format: log::Format,
    /// What is logged: error, warn, info, debug, trace, or a list of module=level
    #[arg(
        long = "log",
        global = true,
        value_name = "FILTER",
        default_value = "info"
    )]
    filter: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C, then let requests and sends in flight finish
    Run,
    /// Tell every fault of the configuration, or what will be done
    Check,
    /// Try the rules on a saved page or exchange; nothing is sent or written
    Test(test::Args),
    /// Show the whole of it on this machine: a shop, a network, the proxy between them
    Demo(demo::Args),
    /// Make a key that seals cookies
    Key(key::Args),
    /// List the orders, newest first; import ids that are to be known
    Orders(orders::Args),
    /// What each affiliate brought, and by how many visits: who buys by his own link shows there
    Affiliates(affiliates::Args),
    /// Tell the whole story of an order: click, sightings, credit, postbacks, answers
    Explain(explain::Args),
    /// List postbacks, show one; resend, hold, release, cancel or accept them
    Postbacks(postbacks::Args),
    /// The review queue: list what is held, show one; release or refuse it
    Held(held::Args),
    /// Send nothing more to a network or webhook, from now on and until `go`
    Pause(pause::Args),
    /// Send to a paused network or webhook again: what is due goes out
    Go(go::Args),
    /// Say of every network and webhook whether it is told, and how much waits for it
    Status,
    /// Look after the ledger: check it, copy it, compact it, accept it, take it back by one version
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// What networks in shadow would have been told, against what they counted themselves
    ShadowReport(shadow_report::Args),
    /// Compare with a network's report: what is missing, doubled, unknown or differs; settle what is unclear
    Reconcile(reconcile::Args),
    /// Enter the orders that were spooled while the ledger failed
    Import,
    /// Have the one that runs read its configuration again; nobody is cut off
    Reload(ask::Args),
    /// List what is wrong with the one that runs, and where the manual says what to do
    Alarms(ask::Args),
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Faults(#[from] Faults),
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    App(#[from] crate::app::Error),
    #[error(transparent)]
    Command(#[from] say::Error),
    #[error(transparent)]
    Key(#[from] config::keys::Error),
    #[error(transparent)]
    Test(#[from] test::Error),
    #[error(transparent)]
    Demo(#[from] demo::Error),
    #[error(transparent)]
    Reload(#[from] reload::Error),
    #[error(transparent)]
    Alarms(#[from] alarms::Error),
    #[error("cannot write the answer")]
    Write(#[from] io::Error),
}

impl Error {
    const fn code(&self) -> u8 {
        match self {
            Self::Command(say::Error::Differs(_)) => DIFFERS,
            _ if self.is_usage() => USAGE,
            _ => 1,
        }
    }

    /// Whether the configuration or the command is wrong, not the world.
    const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Faults(_)
                | Self::Log(_)
                | Self::Command(say::Error::Ledger(crate::ledger::Error::OwnTools { .. }))
                | Self::Demo(demo::Error::Log(_) | demo::Error::Scene(scene::Error::Faults(_)))
        )
    }
}

/// Does what the arguments say; the caller gives the environment.
pub fn main(arguments: impl Iterator<Item = std::ffi::OsString>, env: Environment<'_>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version are no faults. A closed pipe is nobody's business.
            told.print().ok();
            return ExitCode::from(if told.use_stderr() { USAGE } else { 0 });
        }
    };
    // Not locked: in the demo the log goes to standard output too.
    let mut out = Inert::new(io::BufWriter::new(io::stdout()), cli.json);
    let done = cli.done(env, &mut out).and_then(|code| {
        out.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => code,
        Err(Error::Write(error) | Error::Command(say::Error::Write(error)))
            if error.kind() == io::ErrorKind::BrokenPipe =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(out);
            match &error {
                Error::Faults(faults) => list(faults),
                other => tell(other),
            }
            ExitCode::from(error.code())
        }
    }
}

impl Cli {
    fn done(&self, env: Environment<'_>, out: &mut dyn Write) -> Result<ExitCode, Error> {
        match &self.command {
            Command::Run => {
                // Before the log's thread: it changes the environment.
                let passed = Passed::take().map_err(crate::app::Error::from)?;
                let _written_at_the_end = log::start(self.log_format, &self.filter)?;
                run::run(self.load(env, Missing::Create)?, passed, &self.path(), env)?;
            }
            Command::Demo(args) => {
                let how = (self.config.as_deref(), self.filter.as_str());
                demo::run(args, how, env, out)?;
            }
            Command::Check => check::run(&self.load(env, Missing::Pretend)?, self.json, out)?,
            Command::Test(args) => {
                let loaded = self.load(env, Missing::Pretend)?;
                return Ok(test::run(args, &loaded.settings, self.json, out)?);
            }
            Command::Reload(args) => {
                let (admin, user) = (config::admin(&self.path(), env)?, env("USER"));
                reload::run(admin.as_ref(), (args, user.as_deref()), self.json, out)?;
            }
            Command::Alarms(args) => {
                let (admin, user) = (config::admin(&self.path(), env)?, env("USER"));
                alarms::run(admin.as_ref(), (args, user.as_deref()), self.json, out)?;
            }
            Command::Key(args) => key::run(args, self.json, out)?,
            Command::Orders(_)
            | Command::Affiliates(_)
            | Command::Explain(_)
            | Command::Postbacks(_)
            | Command::Held(_)
            | Command::Pause(_)
            | Command::Go(_)
            | Command::Status
            | Command::Ledger(_)
            | Command::ShadowReport(_)
            | Command::Reconcile(_)
            | Command::Import => self.look(env, out)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The commands that look into the ledger, or write into it beside the one that runs.
    fn look(&self, env: Environment<'_>, out: &mut dyn Write) -> Result<(), Error> {
        let settings = self.load(env, Missing::Pretend)?.settings;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        if let Command::Ledger(ledger::Command::Downgrade(args)) = &self.command {
            // Nobody may have it open.
            let stepping = ledger::downgrade(args, &settings, self.json, out);
            return Ok(runtime.block_on(stepping)?);
        }
        let ledger = Ledger::open(&settings.ledger, Role::Tool, Time::now());
        if let Command::Explain(args) = &self.command {
            // Of what waits in the spool it tells without a ledger too.
            let spool = Spool::new(settings.record.spool, settings.capture.keys);
            let from = (ledger.as_ref().map_err(Clone::clone), &spool);
            return Ok(runtime.block_on(explain::run(args, from, self.json, out))?);
        }
        let ledger = ledger.map_err(say::Error::from)?;
        Ok(runtime.block_on(self.on(&ledger, settings, env, out))?)
    }

    /// One command on the ledger.
    async fn on(
        &self,
        ledger: &Ledger,
        settings: config::Settings,
        env: Environment<'_>,
        out: &mut dyn Write,
    ) -> Result<(), say::Error> {
        let hand = steer::Hand {
            follows: settings.deliver.holds.follows.clone(),
            ..steer::Hand::of(env)
        };
        match &self.command {
            Command::Orders(orders::Args {
                command: Some(orders::Command::ImportKnown(args)),
                ..
            }) => {
                let import = known::Import {
                    stores: &settings.stores,
                    actor: args.by.name(env),
                    now: Time::now(),
                };
                ledger.refuse_foreign(&settings.whose()).await?;
                known::run(args, &import, ledger, self.json, out).await
            }
            Command::Orders(args) => orders::run(args, ledger, self.json, out).await,
            Command::Affiliates(args) => affiliates::run(args, ledger, self.json, out).await,
            Command::Postbacks(args) => postbacks::run(args, ledger, &hand, self.json, out).await,
            Command::Held(args) => held::run(args, ledger, &hand, self.json, out).await,
            Command::Pause(args) => {
                let who = args.by.name(env);
                pause::run(args, (&settings.deliver, ledger), who, self.json, out).await
            }
            Command::Go(args) => {
                let who = args.by.name(env);
                go::run(args, (&settings.deliver, ledger), who, self.json, out).await
            }
            Command::Ledger(command) => {
                let who = |by: &by::By| by.name(env);
                ledger::run(command, (&settings, ledger), who, self.json, out).await
            }
            Command::ShadowReport(args) => {
                shadow_report::run(args, &settings, ledger, self.json, out).await
            }
            Command::Reconcile(args) => {
                reconcile::run(args, (&settings, ledger), &hand, self.json, out).await
            }
            Command::Status => status::run(&settings, ledger, self.json, out).await,
            _ => {
                ledger.refuse_foreign(&settings.whose()).await?;
                let spool = Spool::new(settings.record.spool, settings.capture.keys);
                import::run(&spool, ledger, self.json, out).await
            }
        }
    }

    fn load(&self, env: Environment<'_>, missing: Missing) -> Result<Loaded, Faults> {
        config::load(&self.path(), env, missing)
    }

    fn path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| "proxy.yaml".into())
    }
}

/// Every fault on a line of its own, then how many.
#[expect(
    clippy::print_stderr,
    reason = "the last word of a command that was not done"
)]
fn list(faults: &Faults) {
    let count = faults.findings().len();
    let many = if count == 1 { "fault" } else { "faults" };
    let faults = faults.to_string();
    let faults = inert::lines(&faults);
    eprintln!("{faults}\nrefgate: {count} {many} in the configuration; nothing was started");
}

/// The error with its causes, for a person.
#[expect(
    clippy::print_stderr,
    reason = "the last word of a command that was not done"
)]
fn tell(error: &dyn std::error::Error) {
    eprintln!("refgate: {}", inert::lines(&Causes(error).to_string()));
}
