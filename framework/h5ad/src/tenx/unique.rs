//! Names made unique as anndata does it.

use std::collections::{HashMap, HashSet};

/// The names, repeats with `-1`, `-2`, … behind them, and how many were repeats.
pub fn made_unique(names: Vec<String>) -> (Vec<String>, usize) {
    let mut taken: HashSet<String> = names.iter().cloned().collect();
    let (mut seen, mut counts) = (HashSet::new(), HashMap::<String, usize>::new());
    let mut repeats = 0;
    let unique = names.into_iter().map(|name| {
        if seen.insert(name.clone()) {
            return name;
        }
        repeats += 1;
        let count = counts.entry(name.clone()).or_default();
        loop {
            *count += 1;
            let other = format!("{name}-{count}");
            if taken.insert(other.clone()) {
                return other;
            }
        }
    });
    (unique.collect(), repeats)
}

#[cfg(test)]
mod tests {
    use super::made_unique;

    #[test]
    fn repeats_get_numbers_that_are_free() {
        let names = ["a", "b", "a", "a-1", "a", "b"].map(str::to_owned).to_vec();
        let (unique, repeats) = made_unique(names);
        assert_eq!(unique, ["a", "b", "a-2", "a-1", "a-3", "b-1"]);
        assert_eq!(repeats, 3);
    }
}
