//! What all queries have in common: minibatch after minibatch, nothing is learnt.

use crate::{
    data::{Batch, Cells},
    error::{Error, Result},
    model::{BaseModelClass, Ctx, Event, Model, Observer},
};

impl<M: BaseModelClass> Model<M> {
    /// Visits the minibatches of all rows or of `indices`, in that order, in evaluation mode and
    /// without gradients; the observer hears of each, and can stop after it. What queries stand on,
    /// an author's own too.
    ///
    /// # Errors
    /// When the data do not fit the model; [`Error::Cancelled`]; what the visitor fails with.
    pub fn for_each_batch(
        &self,
        cells: &mut (impl Cells + ?Sized),
        indices: Option<&[usize]>,
        batch_size: usize,
        observer: &mut dyn Observer,
        mut visit: impl FnMut(&Ctx<'_>, &Batch) -> Result<()>,
    ) -> Result<()> {
        let loader = cells.minibatches(&self.manager, indices, batch_size)?;
        let ctx = Ctx::eval(self.store.device());
        let mut done = 0;
        tch::no_grad(|| {
            for batch in loader.epoch(0) {
                let batch = batch?.to_device(ctx.device);
                visit(&ctx, &batch)?;
                done += batch.n_cells() as usize;
                observer.hear(&Event::Progress { done, total: loader.n_cells() });
                if observer.cancelled() {
                    return Err(Error::Cancelled);
                }
            }
            Ok(())
        })
    }
}
