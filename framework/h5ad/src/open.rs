//! Opening a file, and saying what it is when it is no HDF5.

use std::{fs, io::Read, path::Path};

use hdf5::File;

use crate::{
    error::{Error, Result},
    ffi, heap,
    node::{At, Node, Object},
};

/// How HDF5 begins.
pub const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// The root of the HDF5 file at `path`.
///
/// # Errors
/// When there is none, it is no HDF5, or it is damaged.
pub fn root(path: &Path) -> Result<Node> {
    ffi::register_zstd();
    let file = open(path)?;
    let at = At::root(path);
    let group = file.group("/").map_err(|e| at.damaged(e))?;
    Ok(Node { object: Object::Group(group), at })
}

/// Opens the file at `path`, once it looks sound enough for HDF5.
fn open(path: &Path) -> Result<File> {
    let io = |action| move |source| Error::Io { path: path.to_owned(), action, source };
    let mut start = Vec::new();
    let mut file = plain(path)?;
    file.by_ref().take(4096).read_to_end(&mut start).map_err(io("read"))?;
    if let Some(reason) = heap::damaged(&file).map_err(io("read"))? {
        return Err(At::root(path).damaged(reason));
    }
    File::open(path).map_err(|error| {
        let signed = [0, 512, 1024, 2048]
            .iter()
            .any(|&o| start[o.min(start.len())..].starts_with(SIGNATURE));
        match signed {
            true => At::root(path).damaged(error),
            false => Error::NotHdf5 { path: path.to_owned(), found: begins(&start) },
        }
    })
}

/// The file at `path`, as bytes.
///
/// # Errors
/// When there is none, or the system refuses.
pub fn plain(path: &Path) -> Result<fs::File> {
    fs::File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NoFile { path: path.to_owned() },
        _ => Error::Io { path: path.to_owned(), action: "open", source },
    })
}

/// What a file that begins so is, for messages.
pub fn begins(start: &[u8]) -> String {
    match start {
        [] => "an empty file".into(),
        [0x1f, 0x8b, ..] => "a gzip-compressed file (unpack it first)".into(),
        [b'P', b'K', ..] => "a zip archive (unpack it first)".into(),
        _ if start.is_ascii() => {
            format!("text: {:?}", String::from_utf8_lossy(&start[..start.len().min(40)]))
        }
        _ => format!("bytes {:02x?}", &start[..start.len().min(8)]),
    }
}
