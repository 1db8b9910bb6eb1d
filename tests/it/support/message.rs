//! An HTTP/1.1 message as it stands on the wire, for comparing.

use super::wire::Wire;

type Field = (Vec<u8>, Vec<u8>);

/// How the end of a body was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length,
    Chunked,
    Close,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<Field>,
    pub(crate) framing: Framing,
    /// False where the connection ended before the body did.
    pub(crate) complete: bool,
}

impl Message {
    pub(crate) fn read(head: &[u8], bodiless: bool, wire: &mut Wire) -> Self {
        let mut lines = head[..head.len() - 4]
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let start = String::from_utf8_lossy(lines.next().unwrap()).into_owned();
        let fields: Vec<Field> = lines.map(field).collect();
        let mut message = Self {
            start,
            fields,
            body: Vec::new(),
            trailers: Vec::new(),
            framing: Framing::None,
            complete: true,
        };
        let response = message.start.starts_with("HTTP/");
        let status = message.start.split(' ').nth(1).unwrap_or_default();
        let none = matches!(status, "204" | "304" | "101" | "100" | "103");
        if bodiless || response && none {
            return message;
        }
        if message.get("transfer-encoding").is_some() {
            message.framing = Framing::Chunked;
            message.chunks(wire);
        } else if let Some(length) = message.get("content-length") {
            let length: usize = String::from_utf8_lossy(&length).parse().unwrap();
            message.framing = Framing::Length;
            while message.body.len() < length && !wire.is_over() {
                let step = wire.ahead_or_one(length - message.body.len());
                message.body.extend(step);
            }
            message.complete = message.body.len() == length;
        } else if response {
            message.framing = Framing::Close;
            message.body = wire.rest();
        }
        message
    }

    fn chunks(&mut self, wire: &mut Wire) {
        loop {
            let line = wire.until(b"\r\n");
            let text = String::from_utf8_lossy(&line).into_owned();
            let size = text.trim_end().split(';').next().unwrap_or_default();
            let Ok(size) = usize::from_str_radix(size, 16) else {
                self.complete = false;
                return;
            };
            if size == 0 {
                break;
            }
            let mut chunk = Vec::new();
            while chunk.len() < size + 2 && !wire.is_over() {
                chunk.extend(wire.ahead_or_one(size + 2 - chunk.len()));
            }
            if chunk.len() < size + 2 {
                self.complete = false;
                self.body.extend(chunk);
                return;
            }
            self.body.extend_from_slice(&chunk[..size]);
        }
        loop {
            let line = wire.until(b"\r\n");
            match line.strip_suffix(b"\r\n") {
                None => {
                    self.complete = false;
                    return;
                }
                Some([]) => return,
                Some(line) => self.trailers.push(field(line)),
            }
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<Vec<u8>> {
        let is = |field: &&Field| field.0.eq_ignore_ascii_case(name.as_bytes());
        let value = |field: &Field| field.1.clone();
        self.fields.iter().filter(is).map(value).collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.all(name).into_iter().next()
    }

    /// Takes the fields of this name away; whether there were any.
    pub(crate) fn without(&mut self, name: &str) -> bool {
        let before = self.fields.len();
        self.fields
            .retain(|field| !field.0.eq_ignore_ascii_case(name.as_bytes()));
        before != self.fields.len()
    }

    /// The fields by name, those of one name in their order, spelt as they came.
    pub(crate) fn sorted(&self) -> Vec<(String, String)> {
        let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
        let mut fields: Vec<(String, String)> = self
            .fields
            .iter()
            .map(|(name, value)| (latin(name), latin(value)))
            .collect();
        fields.sort_by_key(|(name, _)| name.to_ascii_lowercase());
        fields
    }
}

fn field(line: &[u8]) -> Field {
    let colon = line.iter().position(|byte| *byte == b':').unwrap();
    (
        line[..colon].to_vec(),
        line[colon + 1..].trim_ascii().to_vec(),
    )
}
