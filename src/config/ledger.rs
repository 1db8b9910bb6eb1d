//! `ledger:` → the file, or the database, in which orders are kept.

use std::path::PathBuf;
use std::time::Duration;

use super::assemble::path;
use super::fault::Problem;
use super::reader::Map;
use super::units::duration;
use super::value::Value;
use crate::cause::Causes;
use crate::ledger::Settings;
use crate::ledger::postgres::Server;
use crate::store::tls::{self, Trust};

const EXPECTED: &str = "a URL like postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full, \
     or postgres://USER@%2Frun%2Fpostgresql/DATABASE for a Unix socket";

/// Reads it; a file beside the configuration if nothing is said.
pub(super) fn read(root: &Map<'_>) -> Option<Settings> {
    let map = root.section("ledger");
    // Read by `keep`, and known to this list.
    map.get("keep");
    let file = map.get("path");
    let asked = map.has("url") || map.has("url_file");
    let server = server(&map);
    if let (Some(file), true) = (&file, asked) {
        file.wrong("`path` beside `url`", "one of the two");
    }
    let file = file.map_or_else(|| Some(root.cx.resolve("refgate.db")), |file| path(&file));
    map.finish();
    if asked {
        server.map(Settings::Postgres)
    } else {
        file.map(Settings::Sqlite)
    }
}

/// How long an order is kept that is not said otherwise: returns, corrections and yearly statements are over by then.
const KEEP: Duration = Duration::from_secs(400 * DAY);

/// The shortest: networks correct what they counted for a month or more.
const SHORTEST: Duration = Duration::from_secs(30 * DAY);

const DAY: u64 = 86_400;

/// How long orders are kept after their last change; none: for ever.
pub(super) fn keep(root: &Map<'_>) -> Option<Duration> {
    let section = root.section("ledger");
    let Some(value) = section.get("keep") else {
        return Some(KEEP);
    };
    let read = |text: &str| match text {
        "forever" => Ok(None),
        text => match duration(text) {
            Some(span) if span >= SHORTEST => Ok(Some(span)),
            _ => Err(()),
        },
    };
    let expected = "`forever`, or a duration of 30d or more";
    let text = value.text();
    text.and_then(|text| match read(text.as_str()) {
        Ok(keep) => Some(keep),
        Err(()) => {
            text.wrong(None, expected);
            None
        }
    })
    .unwrap_or(Some(KEEP))
}

fn server(map: &Map<'_>) -> Option<Server> {
    let ca = map.get("ca");
    let text = map.text_or_file("url");
    let file: Option<PathBuf> = ca.as_ref().and_then(path);
    let Some(text) = text else {
        if let Some(ca) = ca
            && !map.has("url")
            && !map.has("url_file")
        {
            ca.wrong("`ca`", "it only beside `url`");
        }
        return None;
    };
    let text = text.delicate();
    // What is wrong is said without the URL; no error of it shows any of it.
    let server = text.make_known(str::parse::<Server>, EXPECTED)?;
    if let Some(password) = server.password() {
        if text.is_literal() {
            let words = "the URL holds a password: write it as ${VARIABLE}, or the URL in a file (url_file)";
            map.cx.warn(&text.place, words);
        }
        map.cx.keep_secret(password);
    }
    if !server.is_secure() {
        if let Some(ca) = ca {
            ca.wrong(
                "`ca` without TLS",
                "it only where the URL says sslmode=verify-full",
            );
        }
        return Some(server);
    }
    trusting(map, server, (ca.as_ref(), file))
}

/// The server with those who may say who it is.
fn trusting(
    map: &Map<'_>,
    server: Server,
    (ca, file): (Option<&Value<'_>>, Option<PathBuf>),
) -> Option<Server> {
    let trust = match (ca, file) {
        (_, Some(file)) => Trust::File(file),
        (None, None) => Trust::Machine,
        // A path at fault has been told.
        (Some(_), None) => return None,
    };
    match tls::client(&trust) {
        Ok(client) => Some(server.trusting(trust, &client)),
        Err(error) => {
            let (place, found) = match ca {
                Some(ca) => (&ca.place, "a file that is of no use"),
                None => (&map.place, "a machine without authorities"),
            };
            let found = format!("{found} ({})", Causes(&error));
            let expected = "a PEM file with the certificates of the authorities that sign the database server's";
            let expected = expected.to_owned();
            map.cx.report(place, Problem::Wrong { found, expected });
            None
        }
    }
}
