//! `limits:`, `timeouts:` and `deliver:`: every bound, with its default.

use std::collections::HashMap;
use std::time::Duration;

use super::egress;
use super::reader::Map;
use super::value::Value;
use crate::deliver::egress::Egress;
use crate::deliver::{Destination, Holds, Settings, Terms};
use crate::name::NetworkName;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Fewest connections: every listener holds a place of its own while it waits for one.
const LEAST: usize = 64;

/// How much.
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) request_head: usize,
    pub(super) body_copy: usize,
    pub(super) body_decoded: usize,
    pub(super) readers: usize,
    pub(super) pool: usize,
    pub(super) answer: usize,
}

/// Reads `limits:`.
pub(super) fn limits(root: &Map<'_>) -> Limits {
    let map = root.section("limits");
    let limits = Limits {
        connections: map.or("connections", 10_000, |value| {
            value.count(LEAST..=1_000_000)
        }),
        request_head: map.or("request_head", 64 * KIB, |value| value.size(8 * KIB..=MIB)),
        body_copy: map.or("body_copy", 2 * MIB, |value| value.size(KIB..=64 * MIB)),
        body_decoded: map.or("body_decoded", 8 * MIB, |value| value.size(KIB..=256 * MIB)),
        readers: map.or("readers", 2, |value| value.count(1..=64)),
        pool: map.or("pool", 32, |value| value.count(0..=10_000)),
        answer: map.or("answer", 64 * KIB, |value| value.size(KIB..=MIB)),
    };
    map.finish();
    limits
}

/// How long.
pub(super) struct Timeouts {
    pub(super) request_head: Duration,
    pub(super) idle: Duration,
    pub(super) stall: Duration,
    pub(super) drain: Duration,
    pub(super) connect: Duration,
    pub(super) response: Duration,
    pub(super) body: Duration,
    pub(super) pool: Duration,
    pub(super) tunnel: Duration,
    pub(super) hold: Duration,
    pub(super) read: Duration,
    pub(super) abandoned: Duration,
}

/// Reads `timeouts:`.
pub(super) fn timeouts(root: &Map<'_>) -> Timeouts {
    let map = root.section("timeouts");
    let or = |key, seconds| map.or(key, Duration::from_secs(seconds), Value::duration);
    let timeouts = Timeouts {
        request_head: or("request_head", 10),
        idle: or("idle", 75),
        stall: or("stall", 60),
        drain: or("drain", 30),
        connect: or("connect", 5),
        response: or("response", 60),
        body: or("body", 60),
        // Node closes an idle connection after 5 s, the shortest of the common shops' servers.
        pool: or("pool", 4),
        tunnel: or("tunnel", 3600),
        hold: map.or("hold", Duration::from_millis(500), |value| {
            value.duration_from(Duration::ZERO)
        }),
        // The page waits for `hold` only; a slow reading must not lose the order.
        read: or("read", 30),
        abandoned: or("abandoned", 60),
    };
    map.finish();
    timeouts
}

/// How postbacks are sent.
pub(super) struct Deliver {
    pub(super) schedule: Vec<Duration>,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) retry_after_limit: Duration,
    pub(super) rest: Terms,
    pub(super) egress: Egress,
}

impl Deliver {
    /// All that delivering must know, with what else the file says of it.
    pub(super) fn settings(
        self,
        destinations: HashMap<NetworkName, Destination>,
        answer_limit: usize,
        holds: Holds,
    ) -> Settings {
        Settings {
            destinations,
            schedule: self.schedule,
            connect_timeout: self.connect_timeout,
            timeout: self.timeout,
            egress: self.egress,
            concurrency: self.concurrency,
            rest: self.rest,
            answer_limit,
            retry_after_limit: self.retry_after_limit,
            holds,
        }
    }
}

/// The waits between attempts if the operator states none: a little over two days together.
const SCHEDULE: [u64; 9] = [30, 120, 600, 1_800, 7_200, 14_400, 21_600, 43_200, 86_400];

/// Most waits in a schedule.
const SCHEDULE_LIMIT: usize = 32;

/// Reads `deliver:`.
pub(super) fn deliver(root: &Map<'_>) -> Deliver {
    let map = root.section("deliver");
    let or = |key, seconds| map.or(key, Duration::from_secs(seconds), Value::duration);
    let schedule = SCHEDULE.map(Duration::from_secs).to_vec();
    let deliver = Deliver {
        schedule: map.or("schedule", schedule, |value| waits(value)),
        connect_timeout: or("connect_timeout", 10),
        timeout: or("timeout", 30),
        concurrency: map.or("concurrency", 32, |value| value.count(1..=256)),
        retry_after_limit: or("retry_after_limit", 21_600),
        rest: Terms {
            after: map.or("rest_after", 5, |value| {
                u32::try_from(value.count(1..=1_000)?).ok()
            }),
            first: or("rest", 30),
            longest: or("rest_longest", 600),
        },
        egress: egress::read(&map),
    };
    map.finish();
    deliver
}

fn waits(value: &Value<'_>) -> Option<Vec<Duration>> {
    let items = value.list();
    if items.len() > SCHEDULE_LIMIT {
        value.wrong("a longer list", "at most 32 waits");
        return None;
    }
    // Each is read, so that every fault among them is told.
    let waits: Vec<_> = items.iter().map(Value::duration).collect();
    waits.into_iter().collect()
}
