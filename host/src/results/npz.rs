//! Answers as numpy's `.npz`: an archive of arrays, each written as its rows come.

use std::{
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use scvi_framework::{
    Error as FrameworkError, Result as FrameworkResult,
    anndata::{DType, Element},
    model::{OutputSpec, Sink},
};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{
    Answer,
    collect::{dense, out_of_turn},
    dimensions,
};
use crate::{
    failure::{Error, Result},
    staged::Staged,
};

/// An archive being written.
pub struct Npz {
    path: PathBuf,
    staged: Staged,
    zip: Archive,
    open: Option<(OutputSpec, usize)>,
    told: Vec<String>,
}

type Writer = ZipWriter<BufWriter<std::fs::File>>;

/// Dropped without its end: that would be written to a file that nobody will see, with complaints
/// on standard error where the disk is full.
struct Archive(Option<Writer>);

impl Archive {
    fn writer(&mut self) -> &mut Writer {
        self.0.as_mut().expect("only `finish` takes it, and takes all")
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

impl Npz {
    /// An archive for the file `path`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let failed = |source| Error::Write { path: path.into(), source };
        let mut staged = Staged::create(path)?;
        let file = staged.file().try_clone().map_err(failed)?;
        let zip = ZipWriter::new(BufWriter::with_capacity(1 << 20, file));
        let zip = Archive(Some(zip));
        Ok(Self { path: path.into(), staged, zip, open: None, told: Vec::new() })
    }

    fn failed(&self, source: io::Error) -> FrameworkError {
        FrameworkError::Io { path: self.path.clone(), action: "write", source }
    }

    fn close_array(&mut self) -> FrameworkResult<()> {
        let Some((spec, seen)) = self.open.take() else { return Ok(()) };
        if seen != spec.shape.iter().product::<usize>() {
            let what = format!("result `{}`, values in all", spec.name);
            let expected = vec![spec.shape.iter().product()];
            return Err(FrameworkError::Shape { what, expected, found: vec![seen] });
        }
        self.told.push(format!(
            "wrote {}{} to {}",
            spec.name,
            dimensions(&spec),
            self.path.display()
        ));
        Ok(())
    }
}

impl Sink for Npz {
    fn begin(&mut self, spec: &OutputSpec) -> FrameworkResult<()> {
        self.close_array()?;
        let Some(dtype) = spec.dtype else {
            return Err(FrameworkError::Kind {
                what: format!("result `{}`", spec.name),
                expected: "an array for .npz (write tables to .csv, .tsv or .h5ad)".into(),
                found: "table".into(),
            });
        };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(true);
        let started = self.zip.writer().start_file(format!("{}.npy", spec.name), options);
        started
            .map_err(refused)
            .and_then(|()| self.zip.writer().write_all(&header(spec, dtype)))
            .map_err(|e| self.failed(e))?;
        self.open = Some((spec.clone(), 0));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> FrameworkResult<()> {
        let Some((spec, seen)) = &mut self.open else { return Err(out_of_turn()) };
        let block = dense(spec, block)?;
        *seen += block.values.len();
        block.values.write_le(self.zip.writer()).map_err(|e| self.failed(e))
    }
}

impl Answer for Npz {
    fn sink(&mut self) -> &mut dyn Sink {
        self
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<String>> {
        self.close_array()?;
        let Self { path, mut staged, mut zip, told, .. } = *self;
        let failed = |source| Error::Write { path: path.clone(), source };
        if let Some(writer) = zip.0.take() {
            let buffer = writer.finish().map_err(|e| failed(refused(e)))?;
            buffer.into_inner().map_err(|e| failed(e.into_error()))?;
        }
        staged.file().seek(SeekFrom::End(0)).map_err(failed)?;
        staged.commit()?;
        Ok(told)
    }
}

fn refused(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(source) => source,
        other => other.into(),
    }
}

/// Version 1.0 of numpy's header: a Python literal, padded so that the data start at a multiple
/// of 64.
fn header(spec: &OutputSpec, dtype: DType) -> Vec<u8> {
    let axes: String = spec.shape.iter().map(|n| format!("{n}, ")).collect();
    let shape = if spec.shape.len() == 1 { axes.trim_end() } else { axes.trim_end_matches(", ") };
    let descr = descr(dtype);
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let padded = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{dict:<width$}\n", width = padded - 1).into_bytes());
    bytes
}

fn descr(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "|b1",
        DType::Int8 => "|i1",
        DType::Int16 => "<i2",
        DType::Int32 => "<i4",
        DType::Int64 => "<i8",
        DType::UInt8 => "|u1",
        DType::UInt16 => "<u2",
        DType::UInt32 => "<u4",
        DType::UInt64 => "<u8",
        DType::Float16 => "<f2",
        DType::Float32 => "<f4",
        DType::Float64 => "<f8",
    }
}
