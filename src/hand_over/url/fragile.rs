//! Addresses that a parameter more would break, or that lead to no page.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Names of which one alone says that the query is signed, or is a step of signing in.
const NAMES: &[&str] = &[
    // Signatures over the address.
    "signature",
    "sign",
    "sig",
    "hmac",
    "oauth_signature",
    "awsaccesskeyid",
    "googleaccessid",
    "ossaccesskeyid",
    "key-pair-id",
    "hdnea",
    "hdnts",
    "__token__",
    // OAuth 2.0 and OpenID Connect (RFC 6749, RFC 7636).
    "client_id",
    "redirect_uri",
    "post_logout_redirect_uri",
    "response_type",
    "response_mode",
    "grant_type",
    "code_challenge",
    "request_uri",
    "id_token_hint",
    "id_token",
    "access_token",
    // OAuth 1.0 (RFC 5849).
    "oauth_token",
    "oauth_verifier",
    // SAML 2.0 and WS-Federation.
    "samlrequest",
    "samlresponse",
    "samlart",
    "sigalg",
    "wtrealm",
    "wresult",
];

/// What such names begin with: signatures of stores of objects, `OpenID` 2.0.
const BEGINNINGS: &[&str] = &[
    "x-amz-", "x-goog-", "x-oss-", "x-cos-", "q-sign-", "openid.",
];

/// Names that say so together: an answer of OAuth, and signatures with an end.
const PAIRS: &[(&str, &str)] = &[
    ("state", "code"),
    ("state", "error"),
    ("expires", "token"),
    ("expires", "md5"),
    ("expires", "hash"),
    ("exp", "token"),
    ("exp", "hash"),
    ("e", "st"),
];

/// Endings of names of files that are no pages.
const FILES: &[&str] = &[
    "7z",
    "aac",
    "apk",
    "atom",
    "avi",
    "avif",
    "bin",
    "bmp",
    "bz2",
    "css",
    "csv",
    "dmg",
    "doc",
    "docx",
    "eot",
    "epub",
    "exe",
    "flac",
    "gif",
    "gz",
    "heic",
    "ico",
    "ics",
    "jpeg",
    "jpg",
    "js",
    "json",
    "jxl",
    "m3u8",
    "m4a",
    "m4v",
    "map",
    "mjs",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "mpeg",
    "mpg",
    "msi",
    "odp",
    "ods",
    "odt",
    "ogg",
    "ogv",
    "opus",
    "otf",
    "pdf",
    "pkg",
    "png",
    "ppt",
    "pptx",
    "ps",
    "rar",
    "rss",
    "rtf",
    "svg",
    "svgz",
    "tar",
    "tgz",
    "tif",
    "tiff",
    "ttf",
    "txt",
    "vcf",
    "wasm",
    "wav",
    "webm",
    "webmanifest",
    "webp",
    "woff",
    "woff2",
    "xls",
    "xlsx",
    "xml",
    "xsl",
    "xz",
    "zip",
    "zst",
];

/// Last parts of a path that are feeds.
const FEEDS: &[&str] = &["atom", "feed", "rss"];

/// Whether the path is that of a file or a feed.
pub(super) fn is_file(path: &str) -> bool {
    let is_in = |names: &[&str], name: &str| names.iter().any(|it| name.eq_ignore_ascii_case(it));
    let path = path.strip_suffix('/').unwrap_or(path);
    let last = path.rsplit_once('/').map_or(path, |(_, last)| last);
    // `;jsessionid=…`
    let last = last.split_once(';').map_or(last, |(last, _)| last);
    match last.rsplit_once('.') {
        Some((_, ending)) => is_in(FILES, ending),
        None => is_in(FEEDS, last),
    }
}

/// Whether the query is not to be changed, or has the parameter already.
pub(super) fn is_fragile(query: &str, parameter: &str) -> bool {
    // Some servers part at `;` too.
    let names: Vec<String> = query.split(['&', ';']).map(name).collect();
    let has = |name: &str| names.iter().any(|it| it == name);
    let alone = |name: &String| {
        NAMES.contains(&name.as_str())
            || BEGINNINGS.iter().any(|it| name.starts_with(it))
            || name.eq_ignore_ascii_case(parameter)
    };
    names.iter().any(alone) || PAIRS.iter().any(|(one, other)| has(one) && has(other))
}

/// The name of a parameter, decoded, in lower case.
fn name(piece: &str) -> String {
    let name = piece.split_once('=').map_or(piece, |(name, _)| name);
    let name = match name.contains('+') {
        true => Cow::Owned(name.replace('+', " ")),
        false => Cow::Borrowed(name),
    };
    let decoded = percent_decode(name.as_bytes()).decode_utf8_lossy();
    decoded.to_ascii_lowercase()
}
