//! Pages that come in pieces, by gzip, broken, too large.

use super::*;

#[test]
fn a_decorator_may_change_threads() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&decorator(Coding::Gzip));
}

#[test]
fn what_can_be_given_out_is() {
    let mut plain = decorator(Coding::Identity);
    plain.write(Bytes::from_static(b"<p>one<p>two <a href=//b.test/"));
    assert_eq!(plain.read().unwrap().unwrap(), "<p>one<p>two ");
    assert_eq!(plain.read(), Ok(None));
    plain.write(Bytes::from_static(b">"));
    assert_eq!(plain.read().unwrap().unwrap(), "<a href=//b.test/?rg=T>");

    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(b"<p>one<p>two ").unwrap();
    encoder.flush().unwrap();
    let mut zipped = decorator(Coding::Gzip);
    zipped.write(encoder.get_ref().clone().into());
    let out = zipped.read().unwrap().unwrap();
    assert_eq!(zipped.read(), Ok(None));
    assert_eq!(gunzip_part(&out), b"<p>one<p>two ");
}

#[test]
fn a_tag_without_an_end_lets_the_rest_pass() {
    let link = "<a href=//b.test/>";
    for coding in [Coding::Identity, Coding::Gzip] {
        let page = format!("{link}<a title='{}'>{link}", "x".repeat(2 << 20));
        let expected = page.replacen("test/", "test/?rg=T", 1);
        let sent = match coding {
            Coding::Identity => page.clone().into_bytes(),
            Coding::Gzip => gzip(page.as_bytes()),
        };
        let (out, result) = run(coding, &sent.chunks(1000).collect::<Vec<_>>());
        assert_eq!(result, Ok(()));
        let out = match coding {
            Coding::Identity => out,
            Coding::Gzip => gunzip(&out),
        };
        assert!(out == expected.as_bytes(), "{coding:?}");
    }
}

#[test]
fn a_page_deeper_than_memory_passes() {
    let page = format!("{}<a href=//b.test/>", "<div>".repeat(200_000));
    assert!(text(&page) == page);
}

#[test]
fn a_bomb_comes_out_in_bounded_pieces() {
    let bomb = gzip(&vec![b' '; 4 << 20]);
    let mut decorator = decorator(Coding::Gzip);
    decorator.write(bomb.into());
    decorator.end();
    let (mut calls, mut most) = (0, 0);
    while let Some(bytes) = decorator.read().unwrap() {
        (calls, most) = (calls + 1, most.max(bytes.len()));
    }
    assert!(calls >= (4 << 20) / BLOCK, "{calls}");
    assert!(most < 4096, "{most}");
}

#[test]
fn gzip_that_is_none_passes() {
    for page in [&b"<p>plain"[..], b"", b"\x1f", b"\x1fx", b"\x1f\x1f\x8b"] {
        for size in [1, 100] {
            let chunks: Vec<_> = page.chunks(size).collect();
            assert_eq!(
                run(Coding::Gzip, &chunks),
                (page.to_vec(), Ok(())),
                "{page:?}"
            );
        }
    }
}

#[test]
fn members_are_read_and_padding_is_not() {
    let page = b"<p><a href=//b.test/>";
    let (one, two) = (gzip(&page[..8]), gzip(&page[8..]));
    for tail in [&b""[..], b"\0\0\0", b"\x1f", b"\x1f\0x", b"padding"] {
        let sent = [&one[..], &gzip(b""), &two, tail].concat();
        for size in [1, 7, 1000] {
            let (out, result) = run(Coding::Gzip, &sent.chunks(size).collect::<Vec<_>>());
            assert_eq!(result, Ok(()), "{tail:?}");
            assert_eq!(gunzip(&out), b"<p><a href=//b.test/?rg=T>", "{tail:?}");
        }
    }
}

#[test]
fn a_broken_body_breaks_off_where_it_is_broken() {
    let page: Vec<u8> = (0..3000)
        .flat_map(|n| format!("<p>{n}</p>").into_bytes())
        .collect();
    let sent = gzip(&page);
    let mut flipped = sent.clone();
    flipped[sent.len() - 6] ^= 1;
    let mut within = sent.clone();
    within.truncate(sent.len() / 2);
    within.extend_from_slice(&[0xff; 40]);
    let cut = sent[..sent.len() / 2].to_vec();
    for (sent, at_least) in [
        (flipped, page.len()),
        (within, page.len() / 4),
        (cut, page.len() / 4),
        (MAGIC_ONLY.to_vec(), 0),
    ] {
        for size in [1, 1000, 100_000] {
            let (out, result) = run(Coding::Gzip, &sent.chunks(size).collect::<Vec<_>>());
            assert_eq!(result, Err(Broken));
            let out = gunzip_part(&out);
            assert!(out.len() >= at_least, "{} of {at_least}", out.len());
            assert!(page.starts_with(&out[..at_least]));
        }
    }
}

const MAGIC_ONLY: [u8; 3] = [0x1f, 0x8b, 0xff];
