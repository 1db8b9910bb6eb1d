//! Other keys, while shoppers are served: the newest seals, every one opens.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use refgate::seal::Keys;
use rustix::process::Signal;

use crate::support::daemon::{Daemon, Start};
use crate::support::front::{cookie, from};
use crate::support::sealed::Seal;
use crate::support::shop::ordinary;

/// Two stores of a group, and one of another with keys of its own.
fn config(shop: SocketAddr, cookie: &str) -> String {
    let store = format!(
        "scheme: http, insecure_http: true, upstream: 'http://{shop}', currency: USD, \
         number_format: '1,234.56', max_amount: 5000, consent: not_needed"
    );
    format!(
        "listen: 127.0.0.1:0
workers: 2
stores:
  us: {{ hosts: us.test, {store} }}
  b2b: {{ hosts: b2b.test, group: b2b, orders: b2b, {store} }}
networks:
  aspire:
    click: {{ affiliate_id: '[0-9]{{1,12}}' }}
    postback: http://127.0.0.1:1/aff_lsr?aff_id=AFFILIATE_ID&amount=AMOUNT&adv_unique1=ORDER_ID
    currency: USD
    answers: [{{ status: 200, body: success=true, means: accepted }}]
cookie: {{ {cookie} }}
"
    )
}

const FILES: &str = "key_file: all.key, groups: { b2b: { key_file: b2b.key } }";

fn key(digits: &str) -> String {
    digits.repeat(64)
}

/// What opens with this key alone.
fn seal(digits: &str, group: &'static str) -> Seal {
    let mut seal = Seal::new(&Keys::parse([key(digits).as_str()]).unwrap(), "refgate");
    seal.group = group;
    seal
}

fn write(folder: &Path, name: &str, digits: &[&str], mode: u32) {
    let path = folder.join(name);
    let lines: String = digits.iter().map(|pair| key(pair) + "\n").collect();
    fs::write(&path, lines).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
}

/// Follows a partner's link with this cookie; what is kept then.
fn land(daemon: &Daemon, host: &str, partner: u32, sent: Option<&str>) -> String {
    let fields = sent.map_or_else(String::new, |sent| format!("Cookie: {sent}\r\n"));
    let mut client = daemon.connect();
    client.say(from(host, &format!("/?affiliate_id={partner}"), &fields));
    cookie(&client.message(false)).unwrap()
}

/// The visit's id, where the cookie opens.
fn id(seal: &Seal, cookie: &str) -> Option<u128> {
    let value = cookie.strip_prefix("refgate=").unwrap();
    Some(seal.open(value)?.id.0)
}

fn reload(daemon: &mut Daemon, words: &str) -> String {
    daemon.signal(Signal::HUP);
    daemon.says(words)
}

#[test]
fn keys_are_changed_without_a_visit_being_forgotten() {
    let shop = ordinary();
    let (old, new) = (seal("11", "all"), seal("22", "all"));
    let prepare = |folder: &Path| {
        write(folder, "all.key", &["11"], 0o600);
        write(folder, "b2b.key", &["33"], 0o600);
    };
    let text = config(shop.addr(), FILES);
    let mut daemon = Start::default().before(prepare).run(&text, 1);
    let folder = daemon.folder.path().to_owned();
    let first = land(&daemon, "us.test", 1, None);
    let visitor = id(&old, &first).unwrap();

    // A new one on top: the old cookie opens, and is sealed anew when it is next set.
    write(&folder, "all.key", &["22", "11"], 0o600);
    reload(&mut daemon, "reloaded: stores 2");
    let second = land(&daemon, "us.test", 2, Some(&first));
    assert_eq!(id(&new, &second), Some(visitor));
    assert_eq!(id(&old, &second), None);
    let still = land(&daemon, "us.test", 3, Some(&first));
    assert_eq!(id(&new, &still), Some(visitor));

    // What cannot be read changes nothing: both keys still serve.
    for (digits, mode, why) in [
        (&["44"][..], 0o644, "chmod 600"),
        (&["4"], 0o600, "64 bytes in hexadecimal"),
        (&[], 0o600, "no key"),
    ] {
        write(&folder, "all.key", digits, mode);
        let words = reload(&mut daemon, "not reloaded");
        assert!(
            words.contains("cookie.key_file") || words.contains("refgate.key"),
            "{words}"
        );
        assert!(daemon.log.iter().any(|line| line.contains(why)), "{why}");
        let kept = land(&daemon, "us.test", 4, Some(&first));
        assert_eq!(id(&new, &kept), Some(visitor), "{why}");
    }
    fs::remove_file(folder.join("all.key")).unwrap();
    reload(&mut daemon, "there is no key file");
    let kept = land(&daemon, "us.test", 5, Some(&first));
    assert_eq!(id(&new, &kept), Some(visitor));

    // The old one dropped: its cookies are nothing, those sealed anew are known.
    write(&folder, "all.key", &["22"], 0o600);
    reload(&mut daemon, "reloaded: stores 2");
    let forgotten = land(&daemon, "us.test", 6, Some(&first));
    assert!(id(&new, &forgotten).is_some_and(|id| id != visitor));
    let known = land(&daemon, "us.test", 7, Some(&second));
    assert_eq!(id(&new, &known), Some(visitor));
}

#[test]
fn a_group_with_keys_of_its_own_is_sealed_by_them_alone() {
    let shop = ordinary();
    let text = config(shop.addr(), FILES);
    let prepare = |folder: &Path| write(folder, "b2b.key", &["33"], 0o600);
    let mut daemon = Start::default().before(prepare).run(&text, 1);
    let folder = daemon.folder.path().to_owned();
    let mode = fs::metadata(folder.join("all.key")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600, "made at the start");

    let own = seal("33", "b2b");
    let first = land(&daemon, "b2b.test", 1, None);
    let visitor = id(&own, &first).unwrap();
    let all = land(&daemon, "us.test", 1, None);
    assert_eq!(id(&own, &all), None);
    assert_ne!(id(&own, &land(&daemon, "b2b.test", 2, Some(&all))), None);
    // Sealed with the group's own key, but for another group.
    let mut other = own.clone();
    other.group = "all";
    let visit = own.open(first.strip_prefix("refgate=").unwrap()).unwrap();
    let planted = format!("refgate={}", other.value(&visit));
    assert_ne!(
        id(&own, &land(&daemon, "b2b.test", 3, Some(&planted))),
        Some(visitor)
    );

    write(&folder, "b2b.key", &["55", "33"], 0o600);
    reload(&mut daemon, "reloaded: stores 2");
    let second = land(&daemon, "b2b.test", 4, Some(&first));
    assert_eq!(id(&seal("55", "b2b"), &second), Some(visitor));

    fs::remove_file(folder.join("b2b.key")).unwrap();
    let words = reload(&mut daemon, "there is no key file");
    assert!(words.contains("b2b.key"), "{words}");
    assert!(!folder.join("b2b.key").exists(), "a reload makes none");
    let third = land(&daemon, "b2b.test", 5, Some(&second));
    assert_eq!(id(&seal("55", "b2b"), &third), Some(visitor));
}

#[test]
fn the_recipe_of_the_operators_guide_changes_the_key() {
    let shop = ordinary();
    let text = config(shop.addr(), "key_file: refgate.key");
    let mut daemon = Start::default().run(&text, 1);
    let folder = daemon.folder.path().to_owned();
    let first = land(&daemon, "us.test", 1, None);
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
    let guide = fs::read_to_string(guide).unwrap();
    let (_, section) = guide.split_once("\n## Other keys\n").unwrap();
    let (_, recipe) = section.split_once("```sh\n").unwrap();
    let (recipe, _) = recipe.split_once("```").unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_refgate")).parent().unwrap();
    let recipe = recipe.replace("/var/lib/refgate", folder.to_str().unwrap());
    // The last step asks the one that runs, which is a process of the system's there.
    let steps: String = recipe
        .lines()
        .filter(|line| !line.starts_with("systemctl"))
        .map(|line| format!("{line}\n"))
        .collect();
    let steps = format!("PATH={}:$PATH\n{steps}", binary.display());
    let done = std::process::Command::new("/bin/sh")
        .args(["-e", "-c", &steps])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    reload(&mut daemon, "reloaded: stores 2");
    let lines = fs::read_to_string(folder.join("refgate.key")).unwrap();
    let keys = lines.lines().filter(|line| !line.starts_with('#'));
    let keys: Vec<Keys> = keys.map(|line| Keys::parse([line]).unwrap()).collect();
    let [new, old] = [0, 1].map(|at| Seal::new(&keys[at], "refgate"));
    let visitor = id(&old, &first).unwrap();
    let second = land(&daemon, "us.test", 2, Some(&first));
    assert_eq!(id(&new, &second), Some(visitor));
    assert_eq!(keys.len(), 2);
}
