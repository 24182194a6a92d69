//! A check of the places where HDF5 keeps strings and names, because the library never returns from
//! some damaged ones (seen with 2.0: an entry without length is read again and again; a list of free
//! places that bites its tail takes all memory).

use std::{fs::File, io, os::unix::fs::FileExt};

use memchr::memmem;

use crate::open;

/// Larger files are not checked: it would take longer than reading them.
const MAX_SIZE: u64 = 256 << 20;
/// Bytes that are looked through at a time.
const PORTION: usize = 1 << 20;
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
pub fn damaged(file: &File) -> io::Result<Option<String>> {
    let size = file.metadata()?.len();
    if size > MAX_SIZE {
        return Ok(None);
    }
    let mut file = Bytes { file, size, left: 2 * size + PORTION as u64 };
    let start = file.superblock()?.unwrap_or(0);
    if !file.has_usual_sizes(start)? {
        return Ok(Some("addresses and lengths are not of 8 bytes".into()));
    }
    let mut portion = vec![0; PORTION];
    // What one portion cuts in two begins the next.
    for from in (0..size).step_by(PORTION + 1 - SIGNATURE.len()) {
        let portion = &mut portion[..PORTION.min((size - from) as usize)];
        file.file.read_exact_at(portion, from)?;
        // At any place: damage elsewhere may lead HDF5 anywhere.
        for at in memmem::find_iter(portion, SIGNATURE).map(|at| from + at as u64) {
            if file.heap(at)?.is_some_and(|heap| !is_sound(&heap)) {
                return Ok(Some(format!("the heap of strings at byte {at} is broken")));
            }
        }
        for at in memmem::find_iter(portion, NAMES).map(|at| from + at as u64) {
            if !file.has_an_end(start, at)? {
                return Ok(Some(format!("the names at byte {at} are broken")));
            }
        }
        if file.left == 0 {
            return Ok(Some("its heaps of strings and names lie in each other".into()));
        }
    }
    Ok(None)
}

/// The bytes of a file, read where they are looked at.
struct Bytes<'a> {
    file: &'a File,
    size: u64,
    /// How many more bytes heaps may take; all together, they are no more than the file.
    left: u64,
}

impl Bytes<'_> {
    fn holds(&self, at: u64, n: usize) -> bool {
        at.checked_add(n as u64).is_some_and(|end| end <= self.size)
    }

    /// `N` bytes from `at`; `None` beyond the end.
    fn some<const N: usize>(&self, at: u64) -> io::Result<Option<[u8; N]>> {
        if !self.holds(at, N) {
            return Ok(None);
        }
        let mut bytes = [0; N];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Some(bytes))
    }

    /// The `n` bytes of a heap from `at`; `None` beyond the end, and when heaps took too many.
    fn taken(&mut self, at: u64, n: usize) -> io::Result<Option<Vec<u8>>> {
        if !self.holds(at, n) {
            return Ok(None);
        }
        self.left = self.left.saturating_sub(n as u64);
        if self.left == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; n];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Some(bytes))
    }

    /// Where the HDF5 in a file begins; text may stand before it.
    fn superblock(&self) -> io::Result<Option<u64>> {
        let places = std::iter::once(0).chain((9..63).map(|power| 1 << power));
        for at in places.take_while(|&at| at < self.size) {
            if self.some(at)?.as_ref().is_some_and(|bytes: &[u8; 8]| bytes == open::SIGNATURE) {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Whether addresses and lengths take 8 bytes, as in all files but of those who ask for others; true
    /// where nothing says so.
    fn has_usual_sizes(&self, start: u64) -> io::Result<bool> {
        let Some(bytes) = self.some::<15>(start)? else { return Ok(true) };
        let Some(version) = bytes.strip_prefix(open::SIGNATURE) else { return Ok(true) };
        let at = if version[0] < 2 { 13 } else { 9 };
        Ok(bytes[at..at + 2] == [8, 8])
    }

    /// The whole heap at `at`; `None` when it does not fit there, which HDF5 notices.
    fn heap(&mut self, at: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(header) = self.some::<HEADER>(at)? else { return Ok(None) };
        match number(&header, 8) {
            Some(size) if size >= 4096 => self.taken(at, size),
            _ => Ok(None),
        }
    }

    /// Whether the list of free places in the heap of names at `at` comes to an end; addresses count from
    /// `start`. True where it leads out of the heap, which HDF5 notices.
    fn has_an_end(&mut self, start: u64, at: u64) -> io::Result<bool> {
        let Some(header) = self.some::<32>(at)? else { return Ok(true) };
        let [size, first, address] = [8, 16, 24].map(|field| number(&header, field));
        let (Some(size), Some(mut place), Some(address)) = (size, first, address) else {
            return Ok(true);
        };
        let from = start.saturating_add(address as u64);
        let Some(heap) = self.taken(from, size)? else { return Ok(true) };
        for _ in 0..=size / FREE {
            if place == END {
                return Ok(true);
            }
            let Some(next) = number(&heap, place) else { return Ok(true) };
            place = next;
        }
        Ok(false)
    }
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
