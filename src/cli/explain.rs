//! `refgate explain ORDER`: the whole story of an order on one screen.

use std::io;

use super::orders::standing;
use super::postbacks::show;
use super::say::{Error, inert, json};
use crate::click::Click;
use crate::ledger::{KnownOrder, Ledger, Pause, Seen, Source, Story, Transition};
use crate::order::{FoundBy, Order, Sighting};

/// Which order.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The order's id as the shopper sees it, or another id that it goes by
    pub order: String,
}

/// Tells the story of every order that goes by the id.
///
/// # Errors
/// Nothing goes by it; the ledger's, or the output's.
pub async fn run(
    args: &Args,
    ledger: &Ledger,
    as_json: bool,
    out: &mut dyn io::Write,
) -> Result<(), Error> {
    let id = args.order.trim().to_owned();
    let stories = ledger.story(id.clone()).await?;
    let known = ledger.known(id).await?;
    if stories.is_empty() && known.is_empty() {
        return Err(Error::NoOrder(inert(&args.order)));
    }
    if as_json {
        return match stories.is_empty() {
            true => json(out, &serde_json::json!({ "known": known })),
            false => json(out, &stories),
        };
    }
    let pauses = ledger.pauses().await?;
    for (number, story) in stories.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        tell(story, &pauses, out)?;
    }
    for known in &known {
        tell_known(&args.order, known, out)?;
    }
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
    let amount = order
        .amount
        .map_or_else(|| "amount unknown".to_owned(), |amount| amount.to_string());
    let (key, standing) = (inert(&order.key.to_string()), standing(&order.standing));
    writeln!(out, "Order {key}: {standing}, {amount}")?;
    writeln!(out, "  because  {}", inert(&order.why))?;
    writeln!(
        out,
        "  seen     {} in store {}, by rule {}",
        order.at, order.store, order.rule
    )?;
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
