//! Who may come to the admin listener, by the real binary; and that what he does is recorded.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use rusqlite::Connection;

use crate::support::config::{Folder, shipped};
use crate::support::daemon::{Daemon, Start};
use crate::support::shop::{Shop, page};
use crate::support::wire::PATIENCE;

const ALICE: &str = "0123456789abcdef0123456789abcdef";
const BOB: &str = "fedcba9876543210fedcba9876543210";

fn config(shop: SocketAddr, admin: &str) -> String {
    let base = include_str!("support/front.yaml")
        .replace("SHOP", &shop.to_string())
        .replace("NETWORK", "127.0.0.1:1");
    format!("{base}\nadmin: {admin}\n")
}

fn shop() -> Shop {
    Shop::new(|_| page("", "shop"))
}

/// What the ledger says was done: actor and verb.
fn deeds(folder: &Path) -> Vec<(String, String)> {
    let ledger = Connection::open(folder.join("refgate.db")).unwrap();
    let mut rows = ledger
        .prepare("SELECT actor, verb FROM actions ORDER BY id")
        .unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn said(output: &Output) -> String {
    let bytes = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(bytes).unwrap()
}

/// The status of one request, as somebody else's program makes it.
fn status(address: SocketAddr, request: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        !answer.to_lowercase().contains("access-control"),
        "{answer}"
    );
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// With an admin listener at the address that is passed.
fn run(
    admin: impl Fn(SocketAddr) -> String,
    prepare: impl FnOnce(&Path) + 'static,
) -> (Daemon, SocketAddr) {
    let (shop, listener) = (shop(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let text = config(shop.addr(), &admin(address));
    let daemon = Start::default()
        .socket(listener)
        .before(prepare)
        .run(&text, 1);
    (daemon, address)
}

#[test]
fn by_a_unix_socket_its_owner_looks_and_steers() {
    let shop = shop();
    let daemon = Start::default().run(&config(shop.addr(), "unix:admin.sock"), 1);
    let path = daemon.folder.path().join("admin.sock");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let alarms = daemon.command(&["alarms"]);
    assert_eq!(said(&alarms), "no alarm stands\n");
    let json = said(&daemon.command(&["alarms", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["alarms"], serde_json::json!([]));
    let reload = daemon.command(&["reload"]);
    assert!(reload.status.success(), "{}", said(&reload));
    let deeds = deeds(daemon.folder.path());
    assert_eq!(deeds.len(), 1);
    assert_eq!(deeds[0].1, "reload");
    assert!(!deeds[0].0.is_empty());
}

#[test]
fn a_token_opens_and_says_who_it_was() {
    let (daemon, address) = run(
        |address| {
            format!("{{ listen: '{address}', tokens: {{ alice: alice.token, bob: bob.token }} }}")
        },
        |folder| {
            fs::write(folder.join("alice.token"), format!("{ALICE}\n")).unwrap();
            fs::write(folder.join("bob.token"), BOB).unwrap();
        },
    );
    let ask = |line: &str, fields: &str| {
        status(
            address,
            &format!("{line} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n"),
        )
    };
    for (line, fields, expected) in [
        ("GET /healthz", "", 200),
        ("GET /metrics", "", 200),
        ("GET /alarms", "", 401),
        ("POST /reload", "", 401),
        ("POST /reload", "Authorization: Bearer nonsense\r\n", 401),
        ("POST /reload", "Refgate-Actor: alice\r\n", 401),
        ("GET /metrics", "X-Forwarded-For: 198.51.100.1\r\n", 401),
    ] {
        assert_eq!(ask(line, fields), expected, "{line} {fields}");
    }
    let bearer = format!("Authorization: Bearer {BOB}\r\n");
    assert_eq!(ask("POST /reload", &bearer), 200);
    assert_eq!(ask("GET /alarms", &bearer), 200);

    let which = daemon.command(&["reload"]);
    assert!(
        said(&which).contains("--as with one of: alice, bob"),
        "{}",
        said(&which)
    );
    let reload = daemon.command(&["reload", "--as", "alice"]);
    assert!(reload.status.success(), "{}", said(&reload));
    let expected = [("bob", "reload"), ("alice", "reload")];
    let expected = expected.map(|(actor, verb)| (actor.to_owned(), verb.to_owned()));
    assert_eq!(deeds(daemon.folder.path()), expected);
    for token in [ALICE, BOB] {
        assert!(!daemon.log.join("\n").contains(token));
        assert!(!said(&daemon.command(&["check"])).contains(token));
    }
}

#[test]
fn no_page_in_a_browser_steers_by_loopback() {
    let (daemon, address) = run(|address| address.to_string(), |_| {});
    let ask = |line: &str, host: &str, fields: &str| {
        status(
            address,
            &format!("{line} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"),
        )
    };
    let own = address.to_string();
    for (line, host, fields, expected) in [
        // A page of a stranger's, by a name of his that leads here.
        ("POST /reload", "evil.example", "", 421),
        ("GET /alarms", "evil.example", "", 421),
        ("GET /metrics", "evil.example", "", 421),
        // A page that posts across.
        (
            "POST /reload",
            &own,
            "Origin: https://evil.example\r\n",
            403,
        ),
        ("POST /reload", &own, "Sec-Fetch-Site: cross-site\r\n", 403),
        (
            "POST /reload",
            &own,
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
            415,
        ),
        (
            "OPTIONS /reload",
            &own,
            "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
            403,
        ),
        ("GET /reload", &own, "", 405),
        ("OPTIONS /reload", &own, "", 405),
        ("POST /alarms", &own, "", 405),
        ("DELETE /healthz", &own, "", 405),
        ("GET /", &own, "", 404),
        (
            "POST /reload",
            &own,
            "Content-Type: application/json\r\n",
            200,
        ),
    ] {
        assert_eq!(ask(line, host, fields), expected, "{line} {host} {fields}");
    }
    assert_eq!(
        deeds(daemon.folder.path()).len(),
        1,
        "what was refused is no deed"
    );
}

#[test]
fn an_address_that_others_reach_needs_tokens() {
    let with = |admin: &str| {
        Folder::with(&shipped().replace("admin: 127.0.0.1:8084", &format!("admin: {admin}")))
    };
    let open = with("0.0.0.0:8084").faults();
    assert!(
        open.contains("admin: found \"0.0.0.0:8084\"") && open.contains("tokens"),
        "{open}"
    );
    let folder = with("{ listen: '0.0.0.0:8084', tokens: { alice: alice.token, bob: bob.token } }");
    let missing = folder.faults();
    assert!(
        missing.contains("admin.tokens.alice") && missing.contains("openssl rand"),
        "{missing}"
    );
    fs::write(folder.path("alice.token"), ALICE).unwrap();
    fs::write(folder.path("bob.token"), "short").unwrap();
    let short = folder.faults();
    assert!(
        short.contains("admin.tokens.bob") && !short.contains("alice"),
        "{short}"
    );
    fs::write(folder.path("bob.token"), ALICE).unwrap();
    assert!(folder.faults().contains("another's token"));
    fs::write(folder.path("bob.token"), BOB).unwrap();
    let loaded = folder.loaded();
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warnings.concat().contains("tokens go over the network"),
        "{warnings:?}"
    );
    let report = refgate::config::report::text(&loaded);
    assert!(
        report.contains("with the token of alice or bob"),
        "{report}"
    );
    for (admin, words) in [
        ("'unix:'", "a path of 96 bytes"),
        ("{ listen: 'unix:x', mode: '0666' }", "one of: 0600, 0660"),
        (
            "{ listen: '127.0.0.1:8084', tokens: {} }",
            "no token that can be used",
        ),
        ("{ tokens: {} }", "admin.listen: missing"),
    ] {
        let faults = with(admin).faults();
        assert!(faults.contains(words), "{admin}: {faults}");
    }
}
