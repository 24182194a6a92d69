//! A check of the places where HDF5 keeps strings, because the library never returns from some
//! damaged ones (seen with 2.0: an entry without length is read again and again).

use std::{
    fs::File,
    io::{self, Read},
};

/// Larger files are not checked: it would take longer than reading them.
const MAX_SIZE: u64 = 256 << 20;
const SIGNATURE: &[u8] = b"GCOL\x01\0\0\0";
const HEADER: usize = 16;

/// Where in the file a damaged heap of strings begins, if there is one.
pub fn damaged(file: &mut File) -> io::Result<Option<usize>> {
    if file.metadata()?.len() > MAX_SIZE {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut starts = (0..bytes.len()).step_by(8).filter(|&i| bytes[i..].starts_with(SIGNATURE));
    Ok(starts.find(|&i| heap(&bytes[i..]).is_some_and(|heap| !is_sound(heap))))
}

/// The whole heap that `bytes` begin with; `None` when it does not fit there, which HDF5 notices.
fn heap(bytes: &[u8]) -> Option<&[u8]> {
    let size = number(bytes, 8)?;
    (size >= 4096).then_some(())?;
    bytes.get(..size)
}

fn is_sound(heap: &[u8]) -> bool {
    let mut at = HEADER;
    while at + HEADER <= heap.len() {
        let is_free = heap[at..at + 2] == [0, 0];
        let Some(size) = number(heap, at + 8) else { return false };
        let step = match is_free {
            true => Some(size),
            false => size.checked_next_multiple_of(8).and_then(|s| s.checked_add(HEADER)),
        };
        match step {
            Some(step) if step > 0 && step <= heap.len() - at => at += step,
            _ => return false,
        }
    }
    true
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at + 8)?.try_into().ok()?;
    usize::try_from(u64::from_le_bytes(field)).ok()
}
