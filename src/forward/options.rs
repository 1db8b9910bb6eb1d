//! What an operator may add to requests and responses: `Via`, a request id. Pure.
//!
//! Off by default: then no field of this is touched. `traceparent` and `tracestate` (W3C Trace
//! Context) are fields like any other and pass, on or off.

use http::Version;

use crate::message::Fields;

/// The field of a request's id.
const REQUEST_ID: &str = "x-request-id";

/// Longest id of another proxy that is kept, in bytes.
const ID_LIMIT: usize = 128;

/// Which of them are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether messages say that they came through here (RFC 9110 §7.6.3).
    pub via: bool,
    /// Whether every request has an `X-Request-ID`.
    pub request_id: bool,
}

impl Options {
    /// Says on a message that it came through here; `version` is what its sender spoke.
    pub fn sign(self, fields: &mut Fields, version: Version) {
        if self.via {
            // Several fields are one list, ours at its end.
            fields.append(b"Via", via(version));
        }
    }

    /// Gives a request its id and returns it: the one that it came with, where `trusted` says that
    /// our own proxy sent it; otherwise `fresh`, in hexadecimal. None where the option is off, or
    /// where there is no `fresh` one; then the client's own is gone all the same.
    pub fn identify(
        self,
        fields: &mut Fields,
        trusted: bool,
        fresh: impl FnOnce() -> Option<u128>,
    ) -> Option<String> {
        if !self.request_id {
            return None;
        }
        // `X_Request_ID` reads as `X-Request-ID` to CGI, WSGI and PHP: nobody sends it in good faith.
        fields.retain(|name, _value| !(name.contains(&b'_') && is_id(name)));
        if let Some(kept) = kept(fields).filter(|_| trusted) {
            return Some(kept);
        }
        fields.remove(REQUEST_ID);
        let id = format!("{:032x}", fresh()?);
        fields.append(b"X-Request-ID", id.as_bytes());
        Some(id)
    }
}

/// Whether a field of this name may be read as the id.
fn is_id(name: &[u8]) -> bool {
    let dashed = name.iter().map(|byte| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    });
    dashed.eq(REQUEST_ID.bytes())
}

/// The one id that a request came with, if it is fit for logs.
fn kept(fields: &Fields) -> Option<String> {
    let mut ids = fields.get_all(REQUEST_ID);
    let (Some(id), None) = (ids.next(), ids.next()) else {
        return None;
    };
    let fits = (1..=ID_LIMIT).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
    let id = std::str::from_utf8(id).ok()?;
    fits.then(|| id.to_owned())
}

/// Protocol version and pseudonym.
const fn via(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"1.0 refgate",
        Version::HTTP_2 => b"2 refgate",
        _ => b"1.1 refgate",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Options = Options {
        via: true,
        request_id: true,
    };

    fn fields(list: &[(&str, &str)]) -> Fields {
        list.iter().copied().collect()
    }

    #[test]
    fn each_message_says_what_its_sender_spoke() {
        let cases = [
            (Version::HTTP_10, "1.0 refgate"),
            (Version::HTTP_11, "1.1 refgate"),
            (Version::HTTP_2, "2 refgate"),
        ];
        for (version, said) in cases {
            let mut signed = fields(&[("via", "1.1 other"), ("A", "b")]);
            ON.sign(&mut signed, version);
            let expected = fields(&[("via", "1.1 other"), ("A", "b"), ("Via", said)]);
            assert_eq!(signed, expected);
        }
    }

    #[test]
    fn an_id_is_kept_only_from_our_own_proxy() {
        let came = [("X-Request-Id", "abc-1")];
        let mut trusted = fields(&came);
        let id = ON.identify(&mut trusted, true, || Some(10));
        assert_eq!((id.as_deref(), trusted), (Some("abc-1"), fields(&came)));

        let fresh = "0000000000000000000000000000000a";
        let set = fields(&[("X-Request-ID", fresh)]);
        let mut stranger = fields(&came);
        let id = ON.identify(&mut stranger, false, || Some(10));
        assert_eq!((id.as_deref(), stranger), (Some(fresh), set.clone()));

        let long = "a".repeat(ID_LIMIT + 1);
        let unfit: [&[(&str, &str)]; 5] = [
            &[("x-request-id", "a"), ("x-request-id", "a")],
            &[("x-request-id", "")],
            &[("x-request-id", "a b")],
            &[("x-request-id", "ä")],
            &[("x-request-id", &long)],
        ];
        for came in unfit {
            let mut replaced = fields(came);
            let id = ON.identify(&mut replaced, true, || Some(10));
            assert_eq!(
                (id.as_deref(), replaced),
                (Some(fresh), set.clone()),
                "{came:?}"
            );
        }
        let mut doubled = fields(&[("X_Request-ID", "b"), came[0]]);
        ON.identify(&mut doubled, true, || None);
        assert_eq!(doubled, fields(&came));
        let longest = "a".repeat(ID_LIMIT);
        let mut kept = fields(&[("x-request-id", &longest)]);
        assert_eq!(ON.identify(&mut kept, true, || None), Some(longest));
    }

    #[test]
    fn what_is_off_touches_nothing() {
        let came = fields(&[
            ("X-Request-Id", "a"),
            ("Via", "1.1 b"),
            ("traceparent", "00-1"),
        ]);
        let mut same = came.clone();
        let off = Options::default();
        assert_eq!(off.identify(&mut same, false, || panic!("asked")), None);
        off.sign(&mut same, Version::HTTP_11);
        assert_eq!(same, came);
    }
}
