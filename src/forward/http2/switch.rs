//! WebSocket to a shop behind HTTP/2: by extended CONNECT (RFC 8441), whatever the shopper speaks.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use h2::ext::Protocol;
use http::{HeaderName, Method};

use crate::message::{Fields, RequestHead};

/// Whether a request asks for another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    /// No; another upgrade than to WebSocket is passed over, as RFC 9110 §7.8 lets a server do.
    No,
    /// By HTTP/1.1, and so is answered by a 101 with this proof (RFC 6455 §4.2.2).
    Plain([u8; 28]),
    /// By an extended CONNECT, and so is answered by a 200.
    Extended,
}

impl Switch {
    /// What the request asks for.
    pub(super) fn of(head: &RequestHead) -> Self {
        if head.protocol.is_some() {
            return Self::Extended;
        }
        let mut upgrades = head.fields.get_all("upgrade");
        let wanted = match (upgrades.next(), upgrades.next()) {
            (Some(only), None) => only.eq_ignore_ascii_case(b"websocket"),
            _ => false,
        };
        // Without a key it is no handshake (RFC 6455 §4.2.1).
        match head.fields.get("sec-websocket-key") {
            Some(key) if wanted && head.method == Method::GET => Self::Plain(proof(key)),
            _ => Self::No,
        }
    }

    /// What the shop is asked for.
    pub(super) fn protocol(self) -> Option<Protocol> {
        (self != Self::No).then(|| Protocol::from_static("websocket"))
    }

    /// Whether a field belongs to the handshake of HTTP/1.1, which HTTP/2 does without (RFC 8441 §5).
    pub(super) fn is_its_own(self, name: &HeaderName) -> bool {
        self != Self::No && name == http::header::SEC_WEBSOCKET_KEY
    }

    /// Makes the fields of the shop's consent those that the shopper waits for.
    pub(super) fn consent(self, fields: &mut Fields) {
        fields.remove("content-length");
        if let Self::Plain(proof) = self {
            fields.remove("sec-websocket-accept");
            fields.append(b"Connection", b"Upgrade");
            fields.append(b"Upgrade", b"websocket");
            fields.append(b"Sec-WebSocket-Accept", &proof);
        }
    }
}

/// `Sec-WebSocket-Accept`: SHA-1 of the key and the GUID of RFC 6455 §1.3, in base64.
fn proof(key: &[u8]) -> [u8; 28] {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    let mut text = [b'='; 28];
    for (three, four) in hash.as_ref().chunks(3).zip(text.chunks_mut(4)) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        // As many letters as its bits need; what is left is padding.
        for (at, letter) in (0..=three.len()).zip(four) {
            let six = (bits >> (18 - 6 * at)) & 0x3f;
            let six = usize::try_from(six).unwrap_or_default();
            *letter = LETTERS.get(six).copied().unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_rfc_6455() {
        let proof = proof(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(&proof, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
