//! Headers as they may come, byte by byte.

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;

const BEHIND: &[u8] = b"GET / HTTP/1.1\r\n";

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, block].concat()
}

fn inet(tlvs: &[u8]) -> Vec<u8> {
    let block = [192, 0, 2, 7, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];
    v2(0x21, 0x11, &[&block, tlvs].concat())
}

fn inet6() -> Vec<u8> {
    let client: Ipv6Addr = "2001:db8::7".parse().unwrap();
    let block = [&client.octets()[..], &[0; 16], &[0xdc, 0x04, 0x01, 0xbb]];
    v2(0x21, 0x21, &block.concat())
}

/// Headers, and who each of them speaks for.
fn valid() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(LINE_LIMIT - 16));
    assert_eq!(longest.len(), LINE_LIMIT);
    vec![
        (
            b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n".to_vec(),
            Some("192.0.2.7:56324"),
        ),
        (
            b"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n".to_vec(),
            Some("[2001:db8::7]:0"),
        ),
        (
            b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n".to_vec(),
            Some("192.0.2.7:1"),
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (longest.into_bytes(), None),
        (inet(b""), Some("192.0.2.7:56324")),
        (inet(b"\x04\x00\x02ab"), Some("192.0.2.7:56324")),
        (inet(&[4; BLOCK_LIMIT - 12]), Some("192.0.2.7:56324")),
        (inet6(), Some("[2001:db8::7]:56324")),
        (v2(0x20, 0x11, b""), None),
        (v2(0x20, 0xff, b"any"), None),
        (v2(0x21, 0x00, b"any"), None),
        (v2(0x21, 0x31, &[b'/'; 216]), None),
    ]
}

#[test]
fn a_header_says_the_same_wherever_it_is_split() {
    for (header, client) in valid() {
        for end in 0..header.len() {
            assert_eq!(parse(&header[..end]).unwrap(), None, "{header:?} to {end}");
        }
        let expected = Header {
            client: client.map(|client| client.parse().unwrap()),
            length: header.len(),
        };
        assert_eq!(parse(&header).unwrap(), Some(expected));
        let more = [&header, BEHIND].concat();
        assert_eq!(parse(&more).unwrap(), Some(expected));
    }
}

#[test]
fn whatever_is_not_exactly_a_header_is_refused() {
    let too_long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(LINE_LIMIT - 15));
    let cases: Vec<(&[u8], &str)> = vec![
        (BEHIND, "no PROXY header"),
        (b"\x16\x03\x01", "no PROXY header"),
        (b"proxy TCP4", "no PROXY header"),
        (b"PROXY\tTCP4", "no PROXY header"),
        (b"\r\n\r\n\0\r\nQUIT\r", "no PROXY header"),
        (too_long.as_bytes(), "a PROXY header is too long"),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse(bytes).unwrap_err().to_string(), error, "{bytes:?}");
    }
    for line in [
        "TCP4 192.0.2.7 10.0.0.1 1",
        "TCP4 192.0.2.7 10.0.0.1 1 2 3",
        "TCP4 192.0.2.7 10.0.0.1 1 2 ",
        "TCP4  192.0.2.7 10.0.0.1 1 2",
        "TCP4 192.0.2.07 10.0.0.1 1 2",
        "TCP4 192.0.2.7 10.0.0.1 01 2",
        "TCP4 192.0.2.7 10.0.0.1 +1 2",
        "TCP4 192.0.2.7 10.0.0.1 1 65536",
        "TCP4 192.0.2.7 ::1 1 2",
        "TCP4 ::1 10.0.0.1 1 2",
        "TCP6 192.0.2.7 ::1 1 2",
        "TCP6 [::1] ::1 1 2",
        "TCP6 fe80::1%eth0 ::1 1 2",
        "UDP4 192.0.2.7 10.0.0.1 1 2",
        "TCP4 192.0.2.7\n10.0.0.1 1 2",
        "",
    ] {
        let bytes = format!("PROXY {line}\r\n");
        assert!(
            matches!(parse(bytes.as_bytes()), Err(Error::Line)),
            "{line}"
        );
    }
    for (command, family) in [(0x11, 0x11), (0x22, 0x11), (0x21, 0x12), (0x21, 0x41)] {
        let bytes = v2(command, family, &[0; 36]);
        assert!(matches!(parse(&bytes), Err(Error::Kind)), "{bytes:?}");
    }
    for (family, length) in [(0x11, 11), (0x21, 35)] {
        let bytes = v2(0x21, family, &vec![0; length]);
        assert!(matches!(parse(&bytes), Err(Error::Short)), "{bytes:?}");
    }
    let bytes = v2(0x20, 0, &vec![0; BLOCK_LIMIT + 1]);
    assert!(matches!(parse(&bytes[..FIXED]), Err(Error::Long)));
}

/// Bytes that are likely to come far.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(Vec::new()),
        Just(b"PROXY TCP4 1.2.3.4 ".to_vec()),
        Just(b"PROXY ".to_vec()),
        Just(SIGNATURE.to_vec()),
        Just([SIGNATURE, b"\x21\x11\x00"].concat()),
    ];
    let rest = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[TCPUNKO46:. 0-9a-f\r\n]{0,120}".prop_map(String::into_bytes),
    ];
    (start, rest).prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #[test]
    fn no_bytes_panic_and_more_of_them_change_no_verdict(bytes in likely()) {
        let mut before = None;
        for end in 0..=bytes.len() {
            let verdict = match parse(&bytes[..end]) {
                Ok(None) => None,
                Ok(Some(header)) => {
                    prop_assert!(header.length <= end && header.length <= FIXED + BLOCK_LIMIT);
                    Some(format!("{header:?}"))
                }
                Err(error) => Some(error.to_string()),
            };
            prop_assert!(before.is_none() || before == verdict);
            before = verdict;
        }
        prop_assert!(before.is_some() || bytes.len() < FIXED + BLOCK_LIMIT);
    }
}

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn the_header_is_taken_off_in_pieces_and_what_follows_stays() {
    let trusted = ["127.0.0.0/8".parse().unwrap()];
    for tlvs in [0, 600, BLOCK_LIMIT - 12] {
        let (mut client, mut socket) = pair().await;
        let header = inet(&vec![4; tlvs]);
        let (first, second) = header.split_at(20);
        let reading = async {
            let client = read(&mut socket, LOOPBACK, &trusted, LONG).await.unwrap();
            let mut rest = vec![0; BEHIND.len()];
            socket.read_exact(&mut rest).await.unwrap();
            (client, rest)
        };
        let writing = async {
            client.write_all(first).await.unwrap();
            tokio::task::yield_now().await;
            client.write_all(&[second, BEHIND].concat()).await.unwrap();
        };
        let ((spoken_for, rest), ()) = tokio::join!(reading, writing);
        assert_eq!(spoken_for, Some("192.0.2.7:56324".parse().unwrap()));
        assert_eq!(rest, BEHIND);
    }
}

#[tokio::test]
async fn a_stranger_is_not_asked() {
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    let (mut client, mut socket) = pair().await;
    client.write_all(&inet(b"")).await.unwrap();
    let told = read(&mut socket, LOOPBACK, &trusted, LONG).await;
    assert!(matches!(told, Err(Error::Untrusted(LOOPBACK))));
    let mapped = "::ffff:127.0.0.1".parse().unwrap();
    let trusted = ["127.0.0.0/8".parse().unwrap()];
    read(&mut socket, mapped, &trusted, LONG).await.unwrap();
}

#[tokio::test]
async fn half_a_header_is_no_header() {
    let (mut client, mut socket) = pair().await;
    client.write_all(b"PROXY TCP4 1").await.unwrap();
    let limit = Duration::from_millis(50);
    let told = read(&mut socket, LOOPBACK, &[], limit).await;
    assert!(matches!(told, Err(Error::Late(_))));
    drop(client);
    let told = read(&mut socket, LOOPBACK, &[], LONG).await;
    assert!(matches!(told, Err(Error::Ended)));
}
