//! How fast the ledger is, against what its database does by itself, and against the disk.
//!
//! ```text
//! cargo run --release --example ledger -- enter DIRECTORY|URL [--callers 64] [--orders 20000] [--rounds 5] [--random]
//! cargo run --release --example ledger -- looks DIRECTORY --orders 10000000
//! ```
//!
//! A directory has SQLite's files made in it, a URL names a PostgreSQL database that is the bench's own.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::disallowed_types,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench stops where what it needs is not there, and prints what it found"
)]

mod enter;
mod looks;
mod orders;
mod raw;
mod spent;

use orders::Numbers;

impl Asked {
    /// A number of its own for every round of every run on one database.
    fn run(turn: u64) -> u64 {
        u64::from(std::process::id()) * 100 + turn
    }
}

/// What is asked.
struct Asked {
    place: String,
    callers: u64,
    orders: u64,
    rounds: u64,
    numbers: Numbers,
}

fn main() {
    let mut words = std::env::args().skip(1);
    let verb = words.next().unwrap();
    let mut asked = Asked {
        place: words.next().unwrap(),
        callers: 64,
        orders: 20_000,
        rounds: 5,
        numbers: Numbers::Sequential,
    };
    while let Some(word) = words.next() {
        let mut number = || words.next().unwrap().parse().unwrap();
        match word.as_str() {
            "--callers" => asked.callers = number(),
            "--orders" => asked.orders = number(),
            "--rounds" => asked.rounds = number(),
            "--random" => asked.numbers = Numbers::Random,
            other => panic!("{other}: unknown"),
        }
    }
    match verb.as_str() {
        "enter" => enter::run(&asked),
        "looks" => looks::run(&asked),
        other => panic!("{other}: unknown"),
    }
}
