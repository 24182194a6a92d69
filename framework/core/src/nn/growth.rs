//! How parameters grow with the categories of a data set.
//!
//! A block that knows categories says along which axis of a parameter they lie ([`Path::layout`]). A
//! model of a query with further categories then takes over the reference's values stretch by stretch,
//! so that what was known is decoded as before.
//!
//! [`Path::layout`]: super::Path::layout

use tch::Tensor;

use crate::error::Result;

/// A stretch of an axis, and how it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// So many entries, whatever the categories.
    Fixed(i64),
    /// One entry per category.
    Categories(i64),
    /// One entry per category, none where there is but one.
    OneHot(i64),
}

impl Stretch {
    /// Entries, or categories.
    fn n(self) -> i64 {
        match self {
            Self::Fixed(n) | Self::Categories(n) | Self::OneHot(n) => n,
        }
    }

    /// How many entries it has on the axis.
    pub fn width(self) -> i64 {
        match self {
            Self::OneHot(n) if n <= 1 => 0,
            other => other.n(),
        }
    }
}

/// What the entries of a parameter along one axis stand for, stretch by stretch.
///
/// ```
/// use scvi_framework::nn::{Layout, Stretch::{Fixed, OneHot}};
///
/// // The columns of a layer on 10 features, with one-hots of 3 batches and of a single donor.
/// let layout = Layout::new(1, [Fixed(10), OneHot(3), OneHot(1)]);
/// assert_eq!(layout.width(), 13);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    axis: i64,
    stretches: Vec<Stretch>,
}

/// Entries along an axis of a parameter.
#[derive(Debug)]
pub struct Entries {
    axis: i64,
    positions: Tensor,
}

/// A layout's entries in view of a smaller one's.
#[derive(Debug, Default, PartialEq)]
struct Grown {
    /// Those that the smaller one has, in its order.
    known: Vec<i64>,
    /// Those of known categories for which it has none: they add nothing.
    silent: Vec<i64>,
    /// Those of new categories.
    new: Vec<i64>,
}

impl Layout {
    /// Stretches along `axis`.
    pub fn new(axis: i64, stretches: impl Into<Vec<Stretch>>) -> Self {
        Self { axis, stretches: stretches.into() }
    }

    /// Entries on the axis.
    pub fn width(&self) -> i64 {
        self.stretches.iter().map(|stretch| stretch.width()).sum()
    }

    /// Entries or categories of each stretch: what another layout of the kind may grow from.
    pub fn sizes(&self) -> Vec<i64> {
        self.stretches.iter().map(|stretch| stretch.n()).collect()
    }

    /// `None` when it cannot have grown from stretches of these sizes.
    fn grown_from(&self, sizes: &[i64]) -> Option<Grown> {
        if sizes.len() != self.stretches.len() {
            return None;
        }
        let (mut grown, mut start) = (Grown::default(), 0);
        for (&stretch, &before) in self.stretches.iter().zip(sizes) {
            let (now, end) = (stretch.n(), start + stretch.width());
            let split = end.min(start + before);
            match stretch {
                Stretch::Fixed(_) if now != before => return None,
                _ if now < before => return None,
                Stretch::OneHot(_) if before <= 1 => grown.silent.extend(start..split),
                _ => grown.known.extend(start..split),
            }
            grown.new.extend(split..end);
            start = end;
        }
        Some(grown)
    }

    /// `fresh`, with the entries of `reference`, whose stretches have these sizes, where it has them,
    /// and zeros for a known category that was the only one; `None` when they do not fit.
    pub(super) fn carry_over(
        &self,
        sizes: &[i64],
        reference: &Tensor,
        fresh: &Tensor,
    ) -> Result<Option<Tensor>> {
        let Some(grown) = self.grown_from(sizes) else { return Ok(None) };
        let mut expected = fresh.size();
        expected[self.axis as usize] = grown.known.len() as i64;
        if reference.size() != expected {
            return Ok(None);
        }
        let at = |positions: &[i64]| Tensor::from_slice(positions).to_device(fresh.device());
        let known = fresh.f_index_copy(self.axis, &at(&grown.known), reference)?;
        Ok(Some(known.f_index_fill(self.axis, &at(&grown.silent), 0.0)?))
    }

    /// The entries of categories that stretches of these sizes do not have; `None` when there are
    /// none.
    pub(super) fn new_entries(&self, sizes: &[i64], of: &Tensor) -> Option<Entries> {
        let new = self.grown_from(sizes)?.new;
        let positions = Tensor::from_slice(&new).to_device(of.device());
        (!new.is_empty()).then_some(Entries { axis: self.axis, positions })
    }
}

impl Entries {
    /// A copy of these entries of `tensor`, in order.
    ///
    /// # Errors
    /// When `tensor` has no such entries.
    pub fn of(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.f_index_select(self.axis, &self.positions)?)
    }

    /// Overwrites these entries of `tensor`; all others stay as they are.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn put(&self, tensor: &mut Tensor, values: &Tensor) -> Result<()> {
        let _ = tensor.f_index_copy_(self.axis, &self.positions, values)?;
        Ok(())
    }

    /// Their positions on the axis.
    pub fn positions(&self) -> Vec<i64> {
        Vec::try_from(&self.positions).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Stretch::{Categories, Fixed, OneHot},
        *,
    };

    #[track_caller]
    fn check(now: &[Stretch], before: &[i64], expected: Option<(&[i64], &[i64], &[i64])>) {
        let found = Layout::new(0, now).grown_from(before);
        let expected = expected.map(|(known, silent, new)| Grown {
            known: known.into(),
            silent: silent.into(),
            new: new.into(),
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn new_categories_lie_behind_the_known_ones_of_their_own_stretch() {
        let now = [Fixed(2), OneHot(3), OneHot(2), OneHot(4)];
        check(&now, &[2, 2, 2, 3], Some((&[0, 1, 2, 3, 5, 6, 7, 8, 9], &[], &[4, 10])));
        check(&now, &[2, 3, 2, 4], Some((&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[], &[])));
        check(&[Categories(3)], &[1], Some((&[0], &[], &[1, 2])));
    }

    #[test]
    fn a_single_category_has_no_column_until_another_comes() {
        check(&[Fixed(1), OneHot(3)], &[1, 1], Some((&[0], &[1], &[2, 3])));
        check(&[Fixed(1), OneHot(1), OneHot(2)], &[1, 1, 2], Some((&[0, 1, 2], &[], &[])));
    }

    #[test]
    fn what_did_not_grow_this_way_is_refused() {
        check(&[Fixed(3), OneHot(3)], &[2, 3], None); // another number of features
        check(&[OneHot(2)], &[3], None); // fewer categories
        check(&[OneHot(2)], &[2, 2], None); // another number of covariates
    }
}
