//! Bytes come in pieces of any size, and of any kind.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::server::{Server, assert_sound, mirror};
use crate::support::wire::Wire;

/// One for all cases; it ends with the process.
static SERVER: LazyLock<Server> = LazyLock::new(|| Server::new(mirror));

/// A request, and what the mirror makes of it.
fn request() -> impl Strategy<Value = (String, String)> {
    let body = proptest::collection::vec("[a-z0-9\r\n]{1,40}", 0..5);
    ("[A-Z]{1,8}", "/[!-~]{0,20}", 0..3, body).prop_map(|(method, target, framing, pieces)| {
        let whole = pieces.concat();
        let front = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n");
        let (sent, got) = match framing {
            0 => (format!("{front}\r\n"), String::new()),
            1 => {
                let length = whole.len();
                (
                    format!("{front}Content-Length: {length}\r\n\r\n{whole}"),
                    whole,
                )
            }
            _ => {
                let chunk = |piece: &String| format!("{:x}\r\n{piece}\r\n", piece.len());
                let chunks: String = pieces.iter().map(chunk).collect();
                let end = "0\r\nX-T: u\r\n\r\n";
                let sent = format!("{front}Transfer-Encoding: chunked\r\n\r\n{chunks}{end}");
                (sent, whole + " X-T=u")
            }
        };
        (sent, format!("{method} {target:?} {got}"))
    })
}

/// Says `text` in pieces that end at these places.
fn say(client: &mut Wire, text: &[u8], cuts: &[prop::sample::Index]) {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    cuts.sort_unstable();
    let mut at = 0;
    for cut in cuts {
        client.say(&text[at..cut]);
        at = cut;
    }
    client.say(&text[at..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_pipeline_is_the_same_however_it_is_cut(
        requests in proptest::collection::vec(request(), 1..6),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut client = SERVER.connect();
        let sent: String = requests.iter().map(|(sent, _)| sent.as_str()).collect();
        say(&mut client, sent.as_bytes(), &cuts);
        for (sent, want) in &requests {
            let got = client.message(sent.starts_with("HEAD "));
            if !sent.starts_with("HEAD ") {
                prop_assert_eq!(&got.text(), want);
            }
        }
    }

    #[test]
    fn no_bytes_leave_a_connection_hanging(
        noise in proptest::collection::vec(prop_oneof![
            Just(b"\r\n".to_vec()), Just(b"\r\n\r\n".to_vec()), Just(b"GET / HTTP/1.1\r\n".to_vec()),
            Just(b"Content-Length: 5\r\n".to_vec()), Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b"5\r\n".to_vec()), Just(b"0\r\n".to_vec()), Just(b"PRI * HTTP/2.0\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 1..8),
        ], 0..12),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut client = SERVER.connect();
        let text = noise.concat();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let mut at = 0;
        for cut in cuts.into_iter().chain([text.len()]) {
            // It may have been refused already.
            if !client.try_say(&text[at..cut]) {
                break;
            }
            at = cut;
        }
        client.stream().shutdown(std::net::Shutdown::Write).ok();
        let got = client.rest();
        prop_assert!(got.is_empty() || got.starts_with(b"HTTP/1.1 "));
        assert_sound();
    }
}
