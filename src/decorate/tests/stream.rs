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
fn a_page_may_be_as_deep_as_it_likes() {
    let page = format!("{}<a href=//b.test/>", "<div>".repeat(200_000));
    assert!(text(&page) == page.replace("test/", "test/?rg=T"));
    let page = format!("{}<a href=//b.test/>", "<svg><desc>".repeat(200_000));
    assert!(text(&page) == page);
}

#[test]
fn a_tag_is_kept_back_only_where_it_names_a_sibling() {
    for (page, passes) in [
        ("<p>one <a href=//c.test/", "<p>one <a href=//c.test/"),
        ("<p>one <a href=//b.test", "<p>one <a href=//b.test"),
        ("<p>one <a href=//b.test/", "<p>one "),
        ("<p>one <a title='//b.test/' href=/", "<p>one "),
        (
            "<a href=//b.test/><a href=/x",
            "<a href=//b.test/?rg=T><a href=/x",
        ),
        ("<!-- //b.test/ ", "<!-- //b.test/ "),
        ("<script>'<a href=//b.test/'", "<script>'<a href=//b.test/'"),
    ] {
        let mut decorator = decorator(Coding::Identity);
        decorator.write(Bytes::from_static(page.as_bytes()));
        let passed = decorator.read().unwrap().unwrap();
        assert_eq!(passed, passes, "{page}");
        assert_eq!(decorator.read(), Ok(None));
    }
}

#[test]
fn a_host_that_two_pieces_share_is_found() {
    for link in ["<a href=//b.test/>", "<a href='//b&period;tes&#116;/'>"] {
        let filler = "<p>//c.test/ &amp; </p>".repeat(20);
        let page = format!("{filler}{link}{filler}");
        let expected = page
            .replacen("/'", "/?rg=T'", 1)
            .replacen("/>", "/?rg=T>", 1);
        for cut in filler.len()..filler.len() + link.len() {
            let (one, two) = page.as_bytes().split_at(cut);
            let (out, result) = run(Coding::Identity, &[one, two]);
            assert_eq!(result, Ok(()));
            assert!(out == expected.as_bytes(), "{cut}");
        }
    }
}

#[test]
fn a_link_is_found_however_far_the_reader_lags_behind() {
    let link = "<a href=//b.test/>";
    for length in [100, 300_000] {
        let filler = "<a href=//c.test/>and</a>".repeat(length / 25);
        for before in [
            "<p>",
            "<template>",
            "<!--",
            "<script>",
            "<svg>",
            "<a title='",
        ] {
            let page = format!("{before}{filler}{link}");
            let (out, result) = run(
                Coding::Identity,
                &page.as_bytes().chunks(5000).collect::<Vec<_>>(),
            );
            assert_eq!(result, Ok(()));
            let expected = page.replace("b.test/", "b.test/?rg=T");
            assert!(
                out == if before == "<p>" { expected } else { page }.as_bytes(),
                "{before} {length}"
            );
        }
    }
}

#[test]
fn a_panic_lets_the_page_pass_on() {
    let page = "<p><a href=//b.test/>b</a><p><a href=//b.test/>";
    for coding in [Coding::Identity, Coding::Gzip] {
        let sent = match coding {
            Coding::Identity => page.as_bytes().to_vec(),
            Coding::Gzip => gzip(page.as_bytes()),
        };
        for size in [1, 7, 100] {
            let panics = |_: &Origin<'_>| panic!("a fault in somebody's code");
            let mut decorator = Decorator::new(coding, Scheme::Https, "rg", panics);
            let (out, result) = run_by(&mut decorator, &sent.chunks(size).collect::<Vec<_>>());
            assert_eq!(result, Ok(()));
            let out = match coding {
                Coding::Identity => out,
                Coding::Gzip => gunzip(&out),
            };
            assert_eq!(String::from_utf8_lossy(&out), page);
            assert!(decorator.has_panicked());
            assert!(!decorator.has_panicked(), "it is told once");
        }
    }
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
