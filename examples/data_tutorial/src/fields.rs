//! A field on its own, and a registration that is carried over to another data set.

use std::io::Write;

use anyhow::{Context, Result};
use scvi_framework::{fields::Transfer, serde_json::json};

use crate::{recording::registered, synthetic};

pub fn run(out: &mut impl Write) -> Result<()> {
    let mut adata = synthetic(2)?;
    let manager = registered(&mut adata)?;

    let mut adata2 = synthetic(2)?;
    let batch_field = &manager.registry().field_registries["batch"].field;
    writeln!(out, "Before register_field:\n{adata2}\n")?;
    let state = batch_field.register_field(&mut adata2)?;
    writeln!(out, "After register_field:\n{adata2}\n\nState registry: {}\n", json!(state))?;

    let mut adata3 = synthetic(3)?;
    let refused = manager.transfer_fields(&mut adata3, Transfer::default());
    writeln!(out, "{}\n", refused.err().context("batch_2 is new")?)?;
    let how = Transfer { extend_categories: true, ..Default::default() };
    let manager3 = manager.transfer_fields(&mut adata3, how)?;
    write!(out, "{}", manager3.view_registry())?; // batch_2 is appended
    Ok(())
}
