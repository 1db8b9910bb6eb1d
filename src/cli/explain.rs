//! `refgate explain ORDER`: the whole story of an order on one screen.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::orders::standing;
use super::postbacks::show;
use super::say::{Error, inert, json};
use crate::click::Click;
use crate::ledger::{self, KnownOrder, Ledger, Pause, Seen, Source, Story, Transition};
use crate::order::{Candidate, FoundBy, Order, Sighting};
use crate::record::spool::{self, Spool};

/// Which order.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The order's id as the shopper sees it, or another id that it goes by
    pub order: String,
}

/// What the ledger has of an id.
#[derive(Default)]
struct Found {
    stories: Vec<Story>,
    known: Vec<KnownOrder>,
    pauses: Vec<Pause>,
}

/// An order that the ledger has not taken yet, as JSON.
#[derive(Serialize)]
struct Waiting<'a> {
    file: String,
    order: &'a Order,
}

/// Tells the story of every order that goes by the id, and which of them wait in the spool.
///
/// # Errors
/// Nothing goes by it; the spool's, the output's; the ledger's, also where it was not opened, when what waits in the
/// spool was told.
pub async fn run(
    args: &Args,
    (ledger, spool): (Result<&Ledger, ledger::Error>, &Spool),
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let id = args.order.trim();
    let spooled = spool::waiting(spool, id).map_err(Error::Spool)?;
    let found = match ledger {
        Ok(ledger) => look(ledger, id).await,
        Err(error) => Err(error),
    };
    let (found, failed) = match found {
        Ok(found) => (found, None),
        Err(error) => (Found::default(), Some(error)),
    };
    let nothing = found.stories.is_empty() && found.known.is_empty() && spooled.is_empty();
    match failed {
        Some(error) if nothing => return Err(error.into()),
        None if nothing => return Err(Error::NoOrder(inert(&args.order))),
        _ => {}
    }
    match as_json {
        true => tell_json(&found, &spooled, out)?,
        false => tell_all((id, &found), &spooled, out)?,
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

async fn look(ledger: &Ledger, id: &str) -> Result<Found, ledger::Error> {
    Ok(Found {
        stories: ledger.story(id.to_owned()).await?,
        known: ledger.known(id.to_owned()).await?,
        pauses: ledger.pauses().await?,
    })
}

fn tell_json(
    found: &Found,
    spooled: &[(PathBuf, Candidate)],
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    if !found.stories.is_empty() {
        return json(out, &found.stories);
    }
    let spooled = spooled.iter().map(|(path, candidate)| Waiting {
        file: path.display().to_string(),
        order: &candidate.order,
    });
    let spooled: Vec<_> = spooled.collect();
    json(
        out,
        &serde_json::json!({ "known": found.known, "spooled": spooled }),
    )
}

fn tell_all(
    (id, found): (&str, &Found),
    spooled: &[(PathBuf, Candidate)],
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    for (number, story) in found.stories.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        tell(story, &found.pauses, out)?;
    }
    for known in &found.known {
        tell_known(id, known, out)?;
    }
    for (number, (path, candidate)) in spooled.iter().enumerate() {
        if number > 0 || !found.stories.is_empty() {
            writeln!(out)?;
        }
        tell_spooled(path, &candidate.order, out)?;
    }
    Ok(())
}

/// A sighting that the ledger has not taken yet.
fn tell_spooled(path: &Path, order: &Order, out: &mut dyn io::Write) -> Result<(), Error> {
    let (key, standing) = (inert(&order.key.to_string()), standing(&order.standing));
    writeln!(
        out,
        "Order {key}: in the spool, as the ledger did not take it"
    )?;
    writeln!(out, "  judged   {standing}, {}", amount(order))?;
    writeln!(out, "  because  {}", inert(&order.why))?;
    tell_seen(order, out)?;
    writeln!(out, "  file     {}", inert(&path.display().to_string()))?;
    writeln!(
        out,
        "  next     it is entered when the ledger takes it, or by `refgate import`; nothing is sent before"
    )?;
    Ok(())
}

/// An order without its row.
fn tell_known(id: &str, known: &KnownOrder, out: &mut dyn io::Write) -> Result<(), Error> {
    let key = inert(&format!("{}/{}", known.namespace, id.trim()));
    let (since, how) = (known.since, known.source.as_str());
    writeln!(out, "Order {key}: known since {since}, {how}")?;
    let words = match known.source {
        Source::Imported => "an operator named its id: a confirmation of it is no new order",
        Source::Retired => {
            "it is older than what is kept (`ledger.keep`): its rows are gone, and a confirmation of it is no new order"
        }
    };
    writeln!(out, "  because  {words}")?;
    Ok(())
}

pub(super) fn tell(story: &Story, pauses: &[Pause], out: &mut dyn io::Write) -> Result<(), Error> {
    head(&story.order, out)?;
    for click in clicks(story) {
        tell_click(click, story, out)?;
    }
    let (seen, kept) = (story.seen, story.sightings.len());
    let times = if seen == 1 {
        "once".to_owned()
    } else {
        format!("{seen} times")
    };
    writeln!(out, "\nSeen {times}, {kept} kept")?;
    tell_sightings(&story.sightings, out)?;
    for told in &story.postbacks {
        writeln!(out)?;
        show(told, pauses, out)?;
    }
    if story.postbacks.is_empty() {
        writeln!(out, "\nNo postback: nobody is owed this order.")?;
    }
    writeln!(out, "\nHistory")?;
    for change in &story.history {
        tell_change(change, out)?;
    }
    Ok(())
}

/// The order's own click, then those by which other networks are owed it.
fn clicks(story: &Story) -> Vec<&Click> {
    let mut clicks: Vec<&Click> = story.order.click.iter().collect();
    let told = story.postbacks.iter().map(|told| &told.postback);
    for click in told.filter_map(|postback| story.click_of(&postback.destination)) {
        if !clicks.contains(&click) {
            clicks.push(click);
        }
    }
    clicks
}

fn head(order: &Order, out: &mut dyn io::Write) -> Result<(), Error> {
    let (key, standing) = (inert(&order.key.to_string()), standing(&order.standing));
    writeln!(out, "Order {key}: {standing}, {}", amount(order))?;
    writeln!(out, "  because  {}", inert(&order.why))?;
    tell_seen(order, out)?;
    if let Some(proof) = &order.proof {
        writeln!(out, "  proof    {proof}")?;
    }
    if let Some(working) = &order.working {
        writeln!(out, "  worth    {}", inert(working))?;
    }
    if !order.aliases.is_empty() {
        let aliases: Vec<_> = order
            .aliases
            .iter()
            .map(|alias| inert(alias.as_str()))
            .collect();
        writeln!(out, "  also     {}", aliases.join(", "))?;
    }
    Ok(())
}

fn amount(order: &Order) -> String {
    let known = order.amount.map(|amount| amount.to_string());
    known.unwrap_or_else(|| "amount unknown".to_owned())
}

fn tell_seen(order: &Order, out: &mut dyn io::Write) -> Result<(), Error> {
    let (at, store, rule) = (order.at, &order.store, &order.rule);
    writeln!(out, "  seen     {at} in store {store}, by rule {rule}")?;
    Ok(())
}

fn tell_click(click: &Click, story: &Story, out: &mut dyn io::Write) -> Result<(), Error> {
    let order = &story.order;
    let before = order.at.since(click.at).as_secs();
    let (network, at) = (&click.network, click.at);
    writeln!(
        out,
        "\nClick of {network} at {at}, {before} seconds before the order"
    )?;
    for (name, value) in &click.values {
        writeln!(out, "  {} = {}", inert(name), inert(value))?;
    }
    writeln!(out, "  came  {}", came(click, story.bought()))?;
    if let Some(visit) = order.visit {
        writeln!(out, "  visit {visit}")?;
    }
    Ok(())
}

/// How a click got to the order: its way from store to store, and what found it there where it was no cookie.
fn came(click: &Click, bought: Option<&Sighting>) -> String {
    let legs = click.came.legs().iter();
    let mut legs: Vec<String> = legs.map(ToString::to_string).collect();
    if legs.is_empty() {
        legs.push("not kept with it".to_owned());
    }
    if let Some(sighting) = bought.filter(|sighting| sighting.found_by == FoundBy::Session) {
        legs.push(format!("found by the shop's session in {}", sighting.store));
    }
    legs.join("; ")
}

/// The first one, and every one that says something else; reloads are counted only.
fn tell_sightings(sightings: &[Seen], out: &mut dyn io::Write) -> Result<(), Error> {
    let Some((first, rest)) = sightings.split_first() else {
        return Ok(());
    };
    tell_sighting(first, out)?;
    let same = |seen: &&Seen| {
        seen.notes.is_empty()
            && seen.sighting.faults == first.sighting.faults
            && seen.sighting.fields == first.sighting.fields
    };
    let (same, other): (Vec<&Seen>, Vec<&Seen>) = rest.iter().partition(same);
    for seen in other {
        tell_sighting(seen, out)?;
    }
    if let Some(last) = same.last() {
        let (count, at) = (same.len(), last.sighting.at);
        writeln!(
            out,
            "  and {count} more that say the same, the last at {at}"
        )?;
    }
    Ok(())
}

fn tell_sighting(seen: &Seen, out: &mut dyn io::Write) -> Result<(), Error> {
    let sighting = &seen.sighting;
    let (at, store, rule) = (sighting.at, &sighting.store, &sighting.rule);
    writeln!(
        out,
        "  {at} in {store} by {rule}: {}",
        inert(&sighting.request)
    )?;
    match sighting.found_by {
        FoundBy::Request => {}
        FoundBy::Session => writeln!(out, "    visit found by the shop's session")?,
        FoundBy::SharedSession => {
            writeln!(
                out,
                "    no visit by the shop's session: it was seen with two, or with one and without"
            )?;
        }
    }
    for field in &sighting.fields {
        let (name, text, origin) = (inert(&field.name), inert(&field.text), inert(&field.origin));
        writeln!(out, "    {name} = {text}  ({origin})")?;
    }
    if let Some(working) = &sighting.working {
        writeln!(out, "    worked out: {}", inert(working))?;
    }
    for fault in &sighting.faults {
        writeln!(out, "    could not read: {}", inert(fault))?;
    }
    for note in &seen.notes {
        writeln!(out, "    note: {}", inert(note))?;
    }
    Ok(())
}

fn tell_change(change: &Transition, out: &mut dyn io::Write) -> Result<(), Error> {
    let of = change
        .postback
        .map_or_else(|| "order".to_owned(), |id| format!("postback {id}"));
    let was = change
        .was
        .as_ref()
        .map_or_else(String::new, |was| format!("{} → ", inert(was)));
    let cause = change
        .cause
        .as_ref()
        .map_or_else(String::new, |cause| format!(": {}", inert(cause)));
    let actor = change.actor.as_ref().map_or_else(String::new, |actor| {
        format!(" (by {})", inert(actor.as_str()))
    });
    writeln!(
        out,
        "  {}  {of}  {was}{}{cause}{actor}",
        change.at,
        inert(&change.became)
    )?;
    Ok(())
}
