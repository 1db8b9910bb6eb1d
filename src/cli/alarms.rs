//! `refgate alarms`: what is wrong with the one that runs.

use std::io::Write;

use serde_json::Value;

use super::ask::{self, Args, ask};
use super::say::{self, inert};
use crate::admin::Settings;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be asked.
    #[error(transparent)]
    Ask(#[from] ask::Error),
    /// It does not answer as it should.
    #[error("the one that runs gives no alarms, it answers {status}: {words}")]
    Refused {
        /// The answer's status.
        status: u16,
        /// Its text.
        words: String,
    },
    /// It answers something else than JSON.
    #[error("the one that runs answers no alarms: is it of another version?")]
    Answer(#[source] serde_json::Error),
    /// Nobody reads what is written.
    #[error(transparent)]
    Say(#[from] say::Error),
}

/// Asks the one at `admin`, and lists what stands.
///
/// # Errors
/// It cannot be asked, or what it says cannot be written.
pub fn run(
    admin: Option<&Settings>,
    (args, user): (&Args, Option<&str>),
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (status, text) = ask(admin, args, ("GET /alarms", user))?;
    if status != 200 {
        let words = inert(text.trim());
        return Err(Error::Refused { status, words });
    }
    let answer: Value = serde_json::from_str(&text).map_err(Error::Answer)?;
    if json {
        return Ok(say::json(out, &answer)?);
    }
    let none = Vec::new();
    let alarms = answer.get("alarms").and_then(Value::as_array);
    tell(alarms.unwrap_or(&none), out).map_err(say::Error::from)?;
    Ok(())
}

/// One block an alarm: what, since when, and where to read on.
fn tell(alarms: &[Value], out: &mut dyn Write) -> std::io::Result<()> {
    if alarms.is_empty() {
        return writeln!(out, "no alarm stands");
    }
    for alarm in alarms {
        let text = |key| inert(alarm.get(key).and_then(Value::as_str).unwrap_or_default());
        let subject = match text("subject") {
            subject if subject.is_empty() => subject,
            subject => format!(" {subject}"),
        };
        let times = alarm.get("times").map(Value::to_string).unwrap_or_default();
        writeln!(out, "{}  {}{subject}", text("level"), text("alarm"))?;
        writeln!(out, "    {}", text("words"))?;
        writeln!(
            out,
            "    since {}, last {}, times {times}",
            text("since"),
            text("last")
        )?;
        writeln!(out, "    what to do: {}", text("manual"))?;
    }
    Ok(())
}
