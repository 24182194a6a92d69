//! Models, data and plugins of scvi-rs.
