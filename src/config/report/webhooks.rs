//! The operator's own webhooks: where, of which orders, and what becomes of one in doubt.

use super::{Settings, bounds, pauses};
use crate::deliver::Dedupe;
use crate::secret::mask;

pub(super) fn webhooks(settings: &Settings, lines: &mut Vec<String>) {
    for webhook in &settings.record.webhooks {
        let Some(deliver) = settings.deliver.destinations.get(&webhook.name) else {
            continue;
        };
        let url = mask(&deliver.template.to_string(), &deliver.secrets);
        let on = webhook.on.join(", ");
        lines.push(format!(
            "  {}, a webhook of your own, of orders that are {on}:",
            webhook.name
        ));
        lines.push(format!("      POST {url}, signed"));
        lines.push(
            "      2xx and 409 are accepted, 410 is rejected, other 4xx are sent again".to_owned(),
        );
        lines.push(bounds(deliver));
        lines.push(pauses(deliver));
        lines.push(
            match deliver.dedupe {
                Dedupe::Order => {
                    "      an unclear one is sent again: it knows repeats by webhook-id"
                }
                Dedupe::Click | Dedupe::None => "      an unclear one waits for you",
            }
            .to_owned(),
        );
    }
}
