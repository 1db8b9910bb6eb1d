//! Whatever is said, the connection comes to its end, and to no panic.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::super::frame::{flag, kind};
use super::server::Server;
use super::support::{Client, PATIENCE, block, bytes, get, request};

/// Frames that mean something more often than chance has it.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let stream = prop_oneof![Just(0_u32), 1..12_u32, any::<u32>()];
    let head = prop_oneof![
        Just(block(&get("/3"))),
        Just(block(&get("/100000"))),
        Just(block(&request("POST", "/"))),
        Just(block(
            &[&request("POST", "/")[..], &[("content-length", "5")]].concat()
        )),
        Just(block(&[("x", "y")])),
    ];
    let any_payload = prop::collection::vec(any::<u8>(), 0..40);
    let number = prop_oneof![0..4_u32, any::<u32>()].prop_map(|by| by.to_be_bytes().to_vec());
    let asks = (head, stream.clone(), 0..64_u8)
        .prop_map(|(head, stream, flags)| bytes(kind::HEADERS, flags, stream, &head));
    let whole =
        (prop::sample::select(vec!["/3", "/70000"]), 0..6_u32).prop_map(|(path, stream)| {
            let flags = flag::END_HEADERS | flag::END_STREAM;
            bytes(kind::HEADERS, flags, 2 * stream + 1, &block(&get(path)))
        });
    let numbers = (number, stream.clone(), any::<bool>()).prop_map(|(number, stream, reset)| {
        let kind = if reset {
            kind::RST_STREAM
        } else {
            kind::WINDOW_UPDATE
        };
        bytes(kind, 0, stream, &number)
    });
    let others = (0..12_u8, any::<u8>(), stream, any_payload)
        .prop_map(|(kind, flags, stream, payload)| bytes(kind, flags, stream, &payload));
    prop_oneof![2 => asks, 3 => whole, 2 => numbers, 3 => others]
}

#[test]
fn arbitrary_frames_end_in_order() {
    let server = Server::plain();
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let talk = (prop::collection::vec(frame(), 0..40), any::<usize>());
    let run = TestRunner::new(config).run(&talk, |(frames, cut)| {
        let mut client = Client::new(&server);
        let mut said = frames.concat();
        said.truncate(said.len() - cut % (said.len() + 1) / 4);
        // It may have ended already.
        client.stream.write_all(&said).ok();
        client.stream.shutdown(Shutdown::Write).ok();
        let mut answers = Vec::new();
        match client.stream.read_to_end(&mut answers) {
            Ok(_) => {}
            Err(error) => prop_assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
        let ended = server.ended.lock().unwrap().recv_timeout(PATIENCE);
        prop_assert_eq!(ended, Ok(true));
        Ok(())
    });
    run.unwrap();
}
