//! `refgate test`: the rules on a saved page or exchange.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;

use super::say::{self, inert, json};
use crate::click::{Came, Click, Values};
use crate::clock::Time;
use crate::config::Settings;
use crate::deliver::template::Fill;
use crate::observe::saved::{self, Exchange, Given, SavedError};
use crate::observe::{Reading, Rules};
use crate::order::{Candidate, Field, FoundBy, OrderKey, Sighting};
use crate::record;
use crate::secret::mask;
use crate::store::Store;
use crate::visit::{Visit, VisitId};

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 64 * 1024 * 1024;

/// What a click carries where `--click` does not say.
const EXAMPLE: &str = "123456";

/// What to try the rules on.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A saved page (HTML or JSON), or an exchange: request line, fields, empty line, status line, fields, empty line, body
    file: PathBuf,
    /// The response's body, where it stands in a file of its own
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The store's host [default: of the first store]
    #[arg(long)]
    host: Option<String>,
    /// The request's method [default: GET]
    #[arg(long)]
    method: Option<Method>,
    /// The request's path, with its query [default: /]
    #[arg(long)]
    path: Option<String>,
    /// The response's status [default: 200]
    #[arg(long)]
    status: Option<StatusCode>,
    /// The response's content type [default: guessed]
    #[arg(long)]
    content_type: Option<String>,
    /// What the affiliate's link carried, like `affiliate_id=123456`
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    click: Vec<(String, String)>,
}

/// Why the rules could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no exchange.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// The answer cannot be written.
    #[error(transparent)]
    Say(#[from] say::Error),
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What was read, and what would follow.
#[derive(Serialize)]
struct Report {
    readings: Vec<ReadBy>,
    /// Rules that do not mean it, and why.
    others: Vec<(String, String)>,
}

#[derive(Serialize)]
struct ReadBy {
    rule: String,
    order_id: Option<String>,
    fields: Vec<Field>,
    amount: Option<String>,
    working: Option<String>,
    faults: Vec<String>,
    /// By network, were the visitor its affiliate's.
    networks: Vec<Told>,
}

#[derive(Serialize)]
struct Told {
    network: String,
    standing: String,
    /// What would be sent; none where it is held.
    url: Option<String>,
}

/// Tries the rules. The code says whether an order was read without doubt.
///
/// # Errors
/// A file cannot be read, or is no exchange.
pub(super) fn run(
    args: &Args,
    settings: &Settings,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<ExitCode, Error> {
    let exchange = args.exchange(settings)?;
    let rules = Rules::new(settings.observe.clone(), &settings.stores);
    let readings = rules.read(&exchange);
    let clear = readings
        .iter()
        .any(|reading| reading.order_id.is_some() && reading.doubt.is_none());
    let store = settings.stores.find(&exchange.host);
    let report = Report {
        readings: readings
            .into_iter()
            .filter_map(|reading| Some(args.read(&reading, store?, &exchange, settings)))
            .collect(),
        others: rules
            .explain(&exchange)
            .into_iter()
            .map(|(rule, miss)| (rule.to_string(), miss.to_string()))
            .collect(),
    };
    if as_json {
        json(out, &report)?;
    } else {
        tell(&report, out).map_err(say::Error::from)?;
    }
    Ok(ExitCode::from(u8::from(!clear)))
}

impl Args {
    fn exchange(&self, settings: &Settings) -> Result<Exchange, Error> {
        let file = read(&self.file)?;
        let body = self.body.as_deref().map(read).transpose()?;
        let stores = settings.stores.all();
        let first = stores.first().and_then(|store| store.hosts.first());
        let is_exchange = saved::is_exchange(&file);
        let given = Given {
            host: self
                .host
                .clone()
                .or_else(|| first.filter(|_| !is_exchange).cloned()),
            method: self.method.clone(),
            path: self.path.clone(),
            status: self.status,
            content_type: self.content_type.clone(),
        };
        Ok(if is_exchange {
            saved::exchange(&file, body, &given)?
        } else {
            saved::page(file, &given)?
        })
    }

    fn read(
        &self,
        reading: &Reading,
        store: &Store,
        exchange: &Exchange,
        settings: &Settings,
    ) -> ReadBy {
        let faults: Vec<String> = reading.faults.iter().map(ToString::to_string).collect();
        let networks = settings.capture.networks.iter().filter_map(|network| {
            let names = network.parameters.iter().map(|parameter| &parameter.name);
            let values: Values = names.map(|name| (name.clone(), self.value(name))).collect();
            let now = Time::now();
            let mut visit = Visit::new(
                VisitId(0),
                Click {
                    network: network.name.clone(),
                    values,
                    at: now.minus(settings.record.min_click_age),
                    came: Came::default(),
                },
            );
            // As an honest shopper's is, where the store sees his steps.
            if settings.record.checkouts.contains_key(&store.name) {
                visit.step(now);
            }
            let sighting = sighting(reading, &faults, (store, exchange), visit, now)?;
            let judged = (reading.doubt, &reading.evidence);
            let candidate = record::judge(sighting, judged, store, &settings.record, now);
            Some(Told::of(&candidate, settings))
        });
        ReadBy {
            networks: networks.collect(),
            rule: reading.rule.to_string(),
            order_id: reading.order_id.as_ref().map(ToString::to_string),
            amount: reading.amount.map(|amount| amount.to_string()),
            working: reading.working.clone(),
            fields: reading.fields.clone(),
            faults,
        }
    }

    fn value(&self, name: &str) -> String {
        let given = self.click.iter().find(|(given, _)| given == name);
        given.map_or(EXAMPLE, |(_, value)| value).to_owned()
    }
}

/// The reading as it would be entered for this visit.
fn sighting(
    reading: &Reading,
    faults: &[String],
    (store, exchange): (&Store, &Exchange),
    visit: Visit,
    now: Time,
) -> Option<Sighting> {
    Some(Sighting {
        at: now,
        store: store.name.clone(),
        rule: reading.rule.clone(),
        request: format!("{} {}", exchange.method, exchange.path),
        key: OrderKey {
            namespace: store.orders.clone(),
            id: reading.order_id.clone()?,
        },
        aliases: reading.aliases.clone(),
        fields: reading.fields.clone(),
        amount: reading.amount,
        working: reading.working.clone(),
        faults: faults.to_vec(),
        visit: Some(visit),
        found_by: FoundBy::default(),
    })
}

impl Told {
    fn of(candidate: &Candidate, settings: &Settings) -> Self {
        let order = &candidate.order;
        let postback = candidate.postbacks.first();
        let click = order.click.as_ref();
        let network = click.map_or_else(String::new, |click| click.network.to_string());
        let held = postback.and_then(|postback| postback.held.as_ref());
        let standing = held.map_or_else(|| order.why.clone(), |(_, why)| format!("held: {why}"));
        let destination =
            postback.and_then(|postback| settings.deliver.destinations.get(&postback.destination));
        let url = destination.zip(click).and_then(|(destination, click)| {
            let fill = Fill {
                values: &click.values,
                amount: postback.and_then(|postback| postback.amount),
                order_id: &order.key.id,
                store: Some(&order.store),
                time: order.at,
                click_time: Some(click.at),
            };
            let url = destination.template.render(&fill).ok()?;
            Some(mask(&url, &destination.secrets))
        });
        Self {
            network,
            standing,
            url,
        }
    }
}

fn read(path: &Path) -> Result<Bytes, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_LIMIT).read_to_end(&mut bytes))
        .map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes.into())
}

fn tell(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    for read in &report.readings {
        writeln!(out, "rule {} reads:", read.rule)?;
        for field in &read.fields {
            let (name, text, origin) = (&field.name, inert(&field.text), inert(&field.origin));
            writeln!(out, "  {name} = {text:?}  ({origin})")?;
        }
        for fault in &read.faults {
            writeln!(out, "  fault: {}", inert(fault))?;
        }
        writeln!(
            out,
            "  order {}",
            read.order_id.as_deref().map_or("unknown".to_owned(), inert)
        )?;
        let working = read.working.as_deref().or(read.amount.as_deref());
        writeln!(
            out,
            "  worth {}",
            working.map_or("unknown".to_owned(), inert)
        )?;
        for told in &read.networks {
            writeln!(out, "  {}: {}", told.network, inert(&told.standing))?;
            if let Some(url) = &told.url {
                writeln!(out, "    GET {}", inert(url))?;
            }
        }
    }
    if report.readings.is_empty() {
        writeln!(out, "no rule reads an order from this")?;
    }
    for (rule, why) in &report.others {
        writeln!(out, "rule {rule} does not mean it: {}", inert(why))?;
    }
    Ok(())
}
