//! The examples of RFC 7541 Appendix C, what is not valid, and arbitrary bytes.

use proptest::prelude::*;

use super::super::{huffman, integer as write_integer};
use super::*;

type Fields = Vec<(String, String)>;

fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, Fault> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = Fields::new();
    decoder.decode(block, |field| {
        fields.push((text(field.text), text(field.value)));
    })?;
    Ok(fields)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn fields(fields: &[(&str, &str)]) -> Fields {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    fields.iter().map(owned).collect()
}

const FIRST: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":path", "/"),
    (":authority", "www.example.com"),
];

#[test]
fn the_requests_of_the_rfc_are_read() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::new();
        let mut next = |block: &str| decoded(&mut decoder, &hex(block)).unwrap();
        assert_eq!(next(blocks[0]), fields(&FIRST));
        let mut second = fields(&FIRST);
        second.extend(fields(&[("cache-control", "no-cache")]));
        assert_eq!(next(blocks[1]), second);
        let third = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/index.html"),
            (":authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ];
        assert_eq!(next(blocks[2]), fields(&third));
    }
}

#[test]
fn the_responses_of_the_rfc_are_read_and_put_each_other_out() {
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
         2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab \
         77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f \
         9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let mut decoder = Decoder::new();
    // The setting of the example, which is not ours: as its own table size update.
    let mut first = vec![0x3f, 0xe1, 0x01];
    first.extend(hex(coded[0]));
    let base = [
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ];
    let with = |status| [&[(":status", status)][..], &base].concat();
    assert_eq!(decoded(&mut decoder, &first), Ok(fields(&with("302"))));
    let second = decoded(&mut decoder, &hex(coded[1]));
    assert_eq!(second, Ok(fields(&with("307"))));
    let third = [
        (":status", "200"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:22 GMT"),
        ("location", "https://www.example.com"),
        ("content-encoding", "gzip"),
        (
            "set-cookie",
            "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ),
    ];
    let got = decoded(&mut decoder, &hex(coded[2]));
    assert_eq!(got, Ok(fields(&third)));
    // Three are left: 215 of 256 bytes.
    assert!(decoded(&mut decoder, &[0x80 | 64]).is_ok());
    assert!(decoded(&mut decoder, &[0x80 | 65]).is_err());
}

#[test]
fn what_is_not_valid_is_refused() {
    for (block, why) in [
        ("80", "index 0"),
        ("be", "an index beyond the tables"),
        ("7e 01 61", "a name beyond the tables"),
        ("ff", "an index that ends early"),
        ("ff ff ff ff ff 00", "an index that is too large"),
        ("40", "a name that is missing"),
        ("40 02 61", "a name that ends early"),
        ("40 01 61", "a value that is missing"),
        ("40 01 61 02 62", "a value that ends early"),
        ("40 01 61 81 00", "a value with bad padding"),
        ("3f e2 1f", "a table size above the setting"),
        ("82 20", "a table size behind a field"),
        ("00 7f ff ff ff ff 0f", "a length that is too large"),
    ] {
        assert!(decoded(&mut Decoder::new(), &hex(block)).is_err(), "{why}");
    }
    let two = decoded(&mut Decoder::new(), &hex("20 3f e1 1f 82"));
    assert_eq!(two, Ok(fields(&[(":method", "GET")])));
    assert_eq!(decoded(&mut Decoder::new(), &[]), Ok(Vec::new()));
}

fn literal(block: &mut Vec<u8>, kind: u8, coded: bool, field: &(Vec<u8>, Vec<u8>)) {
    let kinds = [0x00, 0x10, 0x40];
    block.push(kinds[usize::from(kind) % 3]);
    for part in [&field.0, &field.1] {
        let mut text = part.clone();
        if coded {
            text.clear();
            huffman(part, &mut text);
        }
        write_integer(block, if coded { 0x80 } else { 0 }, 7, text.len());
        block.extend(text);
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(
        written in prop::collection::vec(((bytes(20), bytes(300)), 0..3_u8, any::<bool>()), 0..40)
    ) {
        let mut decoder = Decoder::new();
        let (mut expected, mut got) = (Vec::new(), Vec::new());
        for (field, kind, coded) in written {
            let mut block = Vec::new();
            literal(&mut block, kind, coded, &field);
            // The newest entry, where this one went into the table.
            let again = kind % 3 == 2 && field.0.len() + field.1.len() + 32 <= TABLE;
            if again {
                block.push(0x80 | 62);
                expected.push(field.clone());
            }
            expected.push(field);
            let read = decoder.decode(&block, |field| {
                got.push((field.text.to_vec(), field.value.to_vec()));
            });
            prop_assert_eq!(read, Ok(()));
        }
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(blocks in prop::collection::vec(bytes(60), 0..20)) {
        let mut decoder = Decoder::new();
        for block in blocks {
            let mut count = 0;
            let read = decoder.decode(&block, |_| count += 1);
            prop_assert!(read.is_err() || count <= block.len());
        }
    }
}
