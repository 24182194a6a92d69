//! Writes the manifest's section while a plugin is compiled.

use super::{ABI_TEXT, FRAMEWORK_VERSION, LIBTORCH_VERSION, TCH_VERSION, manifest::MAGIC};

/// `-gnu`, `-msvc`, …: the last part of the target's name.
pub const ENVIRONMENT: &str = if cfg!(target_env = "gnu") {
    "-gnu"
} else if cfg!(target_env = "musl") {
    "-musl"
} else if cfg!(target_env = "msvc") {
    "-msvc"
} else {
    ""
};

/// The part of the manifest that is the same for all plugins built with this framework.
pub const BUILD: &str = {
    const PARTS: &[Part] = &[
        Part::Raw(",\"abi\":"),
        Part::Raw(ABI_TEXT),
        Part::Raw(",\"framework\":"),
        Part::Text(FRAMEWORK_VERSION),
        Part::Raw(",\"tch\":"),
        Part::Text(TCH_VERSION),
        Part::Raw(",\"libtorch\":"),
        Part::Text(LIBTORCH_VERSION),
        Part::Raw(",\"target\":\""),
        Part::Raw(std::env::consts::ARCH),
        Part::Raw("-"),
        Part::Raw(std::env::consts::OS),
        Part::Raw(ENVIRONMENT),
        Part::Raw("\""),
    ];
    const BYTES: [u8; json_len(PARTS)] = json(PARTS);
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("parts are UTF-8"),
    }
};

/// A piece of the manifest's JSON.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// As it is.
    Raw(&'a str),
    /// A string, to be quoted.
    Text(&'a str),
    /// A comma, except after an opening bracket.
    Next,
}

const HEADER: usize = MAGIC.len() + 4;

/// Length of the section.
pub const fn section_len(parts: &[Part]) -> usize {
    HEADER + json_len(parts)
}

/// The section: magic, length, JSON.
pub const fn section<const N: usize>(parts: &[Part]) -> [u8; N] {
    let mut out = [0; N];
    let length = ((N - HEADER) as u32).to_le_bytes();
    let mut i = 0;
    while i < HEADER {
        out[i] = if i < MAGIC.len() { MAGIC[i] } else { length[i - MAGIC.len()] };
        i += 1;
    }
    write(parts, &mut out, HEADER);
    out
}

const fn json_len(parts: &[Part]) -> usize {
    write(parts, &mut [], 0)
}

const fn json<const N: usize>(parts: &[Part]) -> [u8; N] {
    let mut out = [0; N];
    write(parts, &mut out, 0);
    out
}

/// Writes as far as `out` reaches; returns where it would have ended.
const fn write(parts: &[Part], out: &mut [u8], mut at: usize) -> usize {
    let mut last = 0;
    let mut i = 0;
    while i < parts.len() {
        let (bytes, quoted) = match parts[i] {
            Part::Raw(text) => (text.as_bytes(), false),
            Part::Text(text) => (text.as_bytes(), true),
            Part::Next if last == b'[' => ("".as_bytes(), false),
            Part::Next => (",".as_bytes(), false),
        };
        if quoted {
            at = put(out, at, b'"');
        }
        let mut k = 0;
        while k < bytes.len() {
            assert!(bytes[k] >= b' ', "names and descriptions in a manifest are one line each");
            if quoted && matches!(bytes[k], b'"' | b'\\') {
                at = put(out, at, b'\\');
            }
            at = put(out, at, bytes[k]);
            last = bytes[k];
            k += 1;
        }
        if quoted {
            at = put(out, at, b'"');
            last = b'"';
        }
        i += 1;
    }
    at
}

const fn put(out: &mut [u8], at: usize, byte: u8) -> usize {
    if at < out.len() {
        out[at] = byte;
    }
    at + 1
}
