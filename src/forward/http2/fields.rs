//! Fields as they came by HTTP/2: names in lower case, those of one name side by side.

use http::HeaderMap;

use crate::message::Fields;

/// Fields of a head; as by HTTP/1.1.
const MOST: usize = 256;

/// The same in the form in which every stage has them; none if there are too many.
pub(super) fn fields(map: &HeaderMap) -> Option<Fields> {
    if map.len() > MOST {
        return None;
    }
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        name.as_str().len() + value.len() + 4
    };
    // Room for a few more.
    let bytes = map.iter().map(line).sum::<usize>() + 256;
    let mut fields = Fields::with_capacity(bytes, map.len() + 4);
    for (name, value) in map {
        fields.append(name.as_str().as_bytes(), value.as_bytes());
    }
    Some(fields)
}

/// Fields that come behind a body.
pub(super) fn map(fields: &Fields) -> Result<HeaderMap, http::Error> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields.iter() {
        let name = http::HeaderName::from_bytes(name)?;
        map.try_append(name, http::HeaderValue::from_bytes(value)?)?;
    }
    Ok(map)
}
