//! The zip archive that `torch.save` writes: a pickle, and the numbers of each tensor.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read},
    path::Path,
    sync::Arc,
};

use zip::{ZipArchive, result::ZipError};

use crate::saved::numbers::ByteOrder;

/// An archive of `torch.save`. What is read of it is never longer than twice the file, whatever the
/// archive claims.
#[derive(Debug)]
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// The archive's one folder, with a slash.
    root: String,
    pub order: ByteOrder,
    pub file_len: u64,
    /// Bytes that may still be read.
    left: u64,
    storages: HashMap<String, Arc<Vec<u8>>>,
}

impl Archive {
    /// Opens `file`; the error says what was found in place of an archive.
    pub fn open(mut file: File, path: &Path) -> Result<Self, String> {
        let io = |e: std::io::Error| format!("a file that cannot be read: {e}");
        let file_len = file.metadata().map_err(io)?.len();
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic).map_err(io)?;
        if !magic.starts_with(b"PK") {
            let name = path.file_name().unwrap_or_default().display();
            return Err(match magic.first() {
                None => "an empty file".into(),
                Some(0x80) => "a pickle that is no archive, as PyTorch wrote before 1.6".into(),
                Some(_) if magic.starts_with(b"vers") => "a Git LFS pointer; fetch the file".into(),
                Some(_) => format!("another kind of file ({name} begins with {magic:02x?})"),
            });
        }
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|e| explain(&e))?;
        let pickle = zip.file_names().find(|n| *n == "data.pkl" || n.ends_with("/data.pkl"));
        let Some(pickle) = pickle else {
            return Err("a zip archive without data.pkl".into());
        };
        let root = pickle.trim_end_matches("data.pkl").to_owned();
        let (order, left) = (ByteOrder::Little, file_len.saturating_mul(2));
        let mut archive = Self { zip, root, order, file_len, left, storages: HashMap::new() };
        if archive.has("byteorder") && archive.entry("byteorder")? == b"big" {
            archive.order = ByteOrder::Big;
        }
        Ok(archive)
    }

    /// The pickle.
    pub fn pickle(&mut self) -> Result<Vec<u8>, String> {
        self.entry("data.pkl")
    }

    /// The bytes that tensors called `key` share.
    pub fn storage(&mut self, key: &str) -> Result<Arc<Vec<u8>>, String> {
        if let Some(bytes) = self.storages.get(key) {
            return Ok(bytes.clone());
        }
        let bytes = Arc::new(self.entry(&format!("data/{key}"))?);
        self.storages.insert(key.into(), bytes.clone());
        Ok(bytes)
    }

    fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(&format!("{}{name}", self.root)).is_some()
    }

    fn entry(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let name = format!("{}{name}", self.root);
        let shown = super::printable(&name);
        let found = self.zip.by_name(&name);
        let entry =
            found.map_err(|e| format!("an archive whose {shown} is unusable: {}", explain(&e)))?;
        let size = entry.size();
        let Some(left) = self.left.checked_sub(size) else {
            return Err(format!(
                "an archive whose {shown} claims {size} bytes, more than the file"
            ));
        };
        self.left = left;
        let mut bytes = Vec::new();
        let read = entry.take(size).read_to_end(&mut bytes);
        read.map_err(|e| format!("an archive whose {shown} is damaged: {e}"))?;
        if bytes.len() as u64 != size {
            return Err(format!(
                "an archive whose {shown} ends after {} of {size} bytes",
                bytes.len()
            ));
        }
        Ok(bytes)
    }
}

fn explain(error: &ZipError) -> String {
    match error {
        ZipError::Io(e) => format!("a zip archive that is cut off or damaged ({e})"),
        other => format!("a zip archive that is cut off or damaged ({other})"),
    }
}
