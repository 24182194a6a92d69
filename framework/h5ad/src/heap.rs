//! A check of the places where HDF5 keeps strings and names, because the library never returns from
//! some damaged ones (seen with 2.0: an entry without length is read again and again; a list of free
//! places that bites its tail takes all memory).

use std::{
    fs::File,
    io::{self, Read},
};

use crate::open;

/// Larger files are not checked: it would take longer than reading them.
const MAX_SIZE: u64 = 256 << 20;
/// Name and version of a heap; HDF5 does not look at the three bytes after them.
const SIGNATURE: &[u8] = b"GCOL\x01";
const HEADER: usize = 16;
/// The same of a heap that holds the names in a group.
const NAMES: &[u8] = b"HEAP\0";
/// What ends its list of free places.
const END: usize = 1;
/// The least that a free place takes: where the next one is, and its length.
const FREE: usize = 16;
/// What is wrong with the places where strings are kept, if anything.
pub fn damaged(file: &mut File) -> io::Result<Option<String>> {
    if file.metadata()?.len() > MAX_SIZE {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if !has_usual_sizes(&bytes) {
        return Ok(Some("addresses and lengths are not of 8 bytes".into()));
    }
    // At any place: damage elsewhere may lead HDF5 anywhere.
    let mut starts = memchr::memmem::find_iter(&bytes, SIGNATURE);
    let broken = starts.find(|&i| heap(&bytes[i..]).is_some_and(|heap| !is_sound(heap)));
    if let Some(at) = broken {
        return Ok(Some(format!("the heap of strings at byte {at} is broken")));
    }
    let start = superblock(&bytes).unwrap_or(0);
    let mut names = memchr::memmem::find_iter(&bytes, NAMES);
    let broken = names.find(|&at| !has_an_end(&bytes, start, at));
    Ok(broken.map(|at| format!("the names at byte {at} are broken")))
}

/// Whether the list of free places in the heap of names at `at` comes to an end; addresses count from
/// `start`. True where it leads out of the heap, which HDF5 notices.
fn has_an_end(bytes: &[u8], start: usize, at: usize) -> bool {
    let [size, first, address] = [8, 16, 24].map(|field| number(bytes, at + field));
    let (Some(size), Some(mut place), Some(address)) = (size, first, address) else { return true };
    let from = start.saturating_add(address);
    let Some(heap) = bytes.get(from..from.saturating_add(size)) else { return true };
    for _ in 0..=size / FREE {
        if place == END {
            return true;
        }
        let Some(next) = number(heap, place) else { return true };
        place = next;
    }
    false
}

/// Where the HDF5 in a file begins; text may stand before it.
fn superblock(bytes: &[u8]) -> Option<usize> {
    let places = std::iter::once(0).chain((9..).map(|power| 1 << power));
    let mut places = places.take_while(|&at| at < bytes.len());
    places.find(|&at| bytes[at..].starts_with(open::SIGNATURE))
}

/// Whether addresses and lengths take 8 bytes, as in all files but of those who ask for others; true
/// where nothing says so.
fn has_usual_sizes(bytes: &[u8]) -> bool {
    let Some(start) = superblock(bytes) else { return true };
    let at = match bytes.get(start + open::SIGNATURE.len()) {
        Some(0 | 1) => start + 13,
        _ => start + 9,
    };
    bytes.get(at..at + 2).is_none_or(|sizes| sizes == [8, 8])
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
    let field = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    usize::try_from(u64::from_le_bytes(field)).ok()
}
