//! Finds requests that say twice how long their body is, by `Content-Length` and
//! by `Transfer-Encoding`. Two servers in a row can take each its own of the two,
//! and then disagree where the next request begins: request smuggling (RFC 9112,
//! section 6.3; OWASP ASVS 5.0, 4.2.1). hyper drops the length before anybody can
//! see it, so this reads along, byte by byte, as far as bodies have a length. A
//! body in chunks is the last of its connection: `server` closes it afterwards.

/// Longer lines are no header that counts here, or are padded for no good reason.
const LINE_MAX: usize = 128;

#[derive(Default)]
pub(super) struct Framing {
    part: Part,
    /// The beginning of the line that is being read, in lower case.
    line: Vec<u8>,
    /// Whether the head has its request line.
    has_begun: bool,
    is_coded: bool,
    length: Option<u64>,
}

#[derive(Default, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    /// So many bytes of it are to come.
    Body(u64),
    /// Nothing that follows is looked at.
    Rest,
}

impl Framing {
    /// Reads on. True once a head says both.
    pub fn is_ambiguous_after(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((byte, rest)) = bytes.split_first() {
            match &mut self.part {
                Part::Rest => return false,
                Part::Body(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX);
                    let here = here.min(bytes.len());
                    *left -= here as u64;
                    if *left == 0 {
                        self.part = Part::Head;
                    }
                    bytes = bytes.get(here..).unwrap_or_default();
                }
                Part::Head => {
                    bytes = rest;
                    if *byte != b'\n' {
                        if self.line.len() < LINE_MAX {
                            self.line.push(byte.to_ascii_lowercase());
                        }
                    } else if self.ends_line_ambiguously() {
                        self.part = Part::Rest;
                        return true;
                    }
                }
            }
        }
        false
    }

    fn ends_line_ambiguously(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if !line.is_empty() {
            self.has_begun = true;
            return self.header_is_ambiguous(line);
        }
        // An empty line before a request line is nothing.
        if self.has_begun {
            let length = self.length.take().unwrap_or(0);
            self.part = match (self.is_coded, length) {
                (true, _) => Part::Rest,
                (false, 0) => Part::Head,
                (false, length) => Part::Body(length),
            };
            self.has_begun = false;
        }
        false
    }

    fn header_is_ambiguous(&mut self, line: &[u8]) -> bool {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return false;
        };
        let (name, value) = line.split_at(colon);
        match name {
            b"transfer-encoding" => self.is_coded = true,
            b"content-length" => {
                let value = value.get(1..).unwrap_or_default().trim_ascii();
                let value = std::str::from_utf8(value).ok();
                self.length = Some(value.and_then(|value| value.parse().ok()).unwrap_or(0));
                if line.len() >= LINE_MAX {
                    return true;
                }
            }
            _ => {}
        }
        self.is_coded && self.length.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "POST /graphql HTTP/1.1\r\nHost: muster\r\n";

    fn is_ambiguous(text: &str) -> bool {
        let at_once = Framing::default().is_ambiguous_after(text.as_bytes());
        let mut framing = Framing::default();
        let in_pieces = text
            .as_bytes()
            .chunks(1)
            .any(|byte| framing.is_ambiguous_after(byte));
        assert_eq!(at_once, in_pieces, "{text:?}");
        at_once
    }

    #[test]
    fn a_length_and_chunks_exclude_each_other_in_any_order_and_spelling() {
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "transfer-ENCODING:chunked\r\nX: y\r\nCONTENT-length:\t5 \r\n",
            "Content-Length: 0\r\nTransfer-Encoding: identity\r\n",
            "Content-Length: nonsense\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\nTransfer-Encoding: xchunked\n",
        ] {
            assert!(is_ambiguous(&format!("{HEAD}{headers}\r\n")), "{headers}");
        }
        let padded = format!("Content-Length:{}5\r\n", " ".repeat(200));
        assert!(is_ambiguous(&format!("{HEAD}{padded}\r\n")));
    }

    #[test]
    fn one_of_them_is_enough() {
        for request in [
            "\r\n",
            "Content-Length: 5\r\n\r\nhello",
            "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "X-Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(!is_ambiguous(&format!("{HEAD}{request}")), "{request}");
        }
    }

    #[test]
    fn what_stands_in_a_body_is_no_header() {
        let body = "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
        let honest = format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len());
        assert!(!is_ambiguous(&honest));
        let second = format!("\r\n{HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(is_ambiguous(&format!("{honest}{honest}{second}")));
    }
}
