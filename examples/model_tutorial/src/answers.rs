//! What a query answers to somebody who asks by name.

use scvi_framework::{
    Result,
    anndata::Element,
    model::{OutputSpec, Sink},
};

/// Results in memory, in the order in which they came. The command's own sinks write files.
#[derive(Debug, Default)]
pub struct Answers(pub Vec<(OutputSpec, Vec<Element>)>);

impl Sink for Answers {
    fn begin(&mut self, spec: &OutputSpec) -> Result<()> {
        self.0.push((spec.clone(), Vec::new()));
        Ok(())
    }

    fn rows(&mut self, block: Element) -> Result<()> {
        if let Some((_, blocks)) = self.0.last_mut() {
            blocks.push(block);
        }
        Ok(())
    }
}
