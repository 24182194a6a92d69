//! A picture's coordinates: UMAP (McInnes, Healy, Melville 2018) of a neighbour graph.
//!
//! The graph's edges pull, random pairs push, from a start at the first two axes of the space.
//! One thread and one seed: the same space gives the same picture.

use std::collections::HashMap;

use scvi_framework::tch::{Kind, Tensor};

use crate::neighbours::Neighbours;

/// The curve `1 / (1 + A d^2B)` that stands for closeness in the picture, at a least distance of 0.3.
const A: f32 = 0.992;
const B: f32 = 1.112;

const N_EPOCHS: usize = 300;

/// Random pairs per edge.
const N_REPULSIONS: usize = 5;

/// Side of the square in which the cells start.
const START: f64 = 10.0;

struct Edge {
    from: usize,
    to: usize,
    weight: f32,
}

/// A point in the plane for each cell. `space`: `[n_cells, n_dims]`.
pub fn layout(space: &Tensor, near: &Neighbours) -> Vec<[f32; 2]> {
    let mut points = start(space);
    let edges = fuzzy_graph(near);
    let strongest = edges.iter().map(|e| e.weight).fold(f32::MIN_POSITIVE, f32::max);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    // How much of each edge's next pull has built up: strong edges pull in every epoch.
    let mut due: Vec<f32> = vec![0.0; edges.len()];
    for epoch in 0..N_EPOCHS {
        let rate = 1.0 - epoch as f32 / N_EPOCHS as f32;
        for (edge, due) in edges.iter().zip(&mut due) {
            *due += edge.weight / strongest;
            if *due < 1.0 {
                continue;
            }
            *due -= 1.0;
            let (p, q) = (points[edge.from], points[edge.to]);
            let pull = attraction(p, q).map(|g| g * rate);
            points[edge.from] = [p[0] + pull[0], p[1] + pull[1]];
            points[edge.to] = [q[0] - pull[0], q[1] - pull[1]];
            for _ in 0..N_REPULSIONS {
                let other = random.below(points.len());
                if other == edge.from {
                    continue;
                }
                let p = points[edge.from];
                let push = repulsion(p, points[other]).map(|g| g * rate);
                points[edge.from] = [p[0] + push[0], p[1] + push[1]];
            }
        }
    }
    points
}

/// The first two principal axes, scaled, with a little noise so that no two cells coincide.
fn start(space: &Tensor) -> Vec<[f32; 2]> {
    let centred = space - space.mean_dim([0i64].as_slice(), true, Kind::Float);
    let (_, vectors) = centred.tr().matmul(&centred).linalg_eigh("L");
    let n_dims = vectors.size()[1];
    let two = centred.matmul(&vectors.narrow(1, n_dims - 2, 2).flip([1])); // [n_cells, 2]
    let scaled = &two / two.abs().max().clamp_min(1e-12) * START;
    let flat = Vec::<f32>::try_from(scaled.reshape([-1])).unwrap_or_default();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut noise = || random.below(1000) as f32 * 1e-6;
    flat.chunks(2).map(|p| [p[0] + noise(), p[1] + noise()]).collect()
}

fn attraction(p: [f32; 2], q: [f32; 2]) -> [f32; 2] {
    let squared = squared_distance(p, q);
    if squared <= 0.0 {
        return [0.0; 2];
    }
    let slope = -2.0 * A * B * squared.powf(B - 1.0) / (1.0 + A * squared.powf(B));
    [clip(slope * (p[0] - q[0])), clip(slope * (p[1] - q[1]))]
}

fn repulsion(p: [f32; 2], q: [f32; 2]) -> [f32; 2] {
    let squared = squared_distance(p, q);
    let slope = 2.0 * B / ((0.001 + squared) * (1.0 + A * squared.powf(B)));
    [clip(slope * (p[0] - q[0])), clip(slope * (p[1] - q[1]))]
}

fn squared_distance(p: [f32; 2], q: [f32; 2]) -> f32 {
    (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2)
}

fn clip(gradient: f32) -> f32 {
    gradient.clamp(-4.0, 4.0)
}

/// The symmetric graph of how sure each cell is of each neighbour: `a + b - ab` of both directions.
fn fuzzy_graph(near: &Neighbours) -> Vec<Edge> {
    let mut directed = HashMap::new();
    let n = near.indices.len() / near.k;
    for cell in 0..n {
        let distances = &near.distances[cell * near.k..(cell + 1) * near.k];
        let (nearest, width) = local_scale(distances);
        for (&to, &distance) in near.of_cell(cell).iter().zip(distances) {
            let weight = (-(distance - nearest).max(0.0) / width).exp();
            directed.insert((cell, to as usize), weight);
        }
    }
    let mut edges = Vec::new();
    for (&(from, to), &there) in &directed {
        let back = directed.get(&(to, from)).copied();
        // A pair known from both sides is one edge each way, from whichever side it is seen.
        let weight = there + back.unwrap_or(0.0) - there * back.unwrap_or(0.0);
        edges.push(Edge { from, to, weight });
        if back.is_none() {
            edges.push(Edge { from: to, to: from, weight });
        }
    }
    edges.sort_by_key(|e| (e.from, e.to));
    edges
}

/// Distance of the nearest neighbour, and the width at which the weights sum to `log2 k`.
fn local_scale(distances: &[f32]) -> (f32, f32) {
    let nearest = distances.iter().copied().find(|&d| d > 0.0).unwrap_or(0.0);
    let target = (distances.len() as f32).log2();
    let total = |width: f32| -> f32 {
        distances.iter().map(|&d| (-(d - nearest).max(0.0) / width).exp()).sum()
    };
    let (mut low, mut high) = (0.0f32, 1e4f32);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if total(middle) > target { high = middle } else { low = middle }
    }
    (nearest, high.max(1e-6))
}

/// Marsaglia's xorshift: enough for choosing pairs.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_a_cell_sum_to_log2_of_its_neighbours() {
        let distances: Vec<f32> = (1..=15).map(|d| d as f32).collect();
        let (nearest, width) = local_scale(&distances);
        let sum: f32 = distances.iter().map(|d| (-(d - nearest) / width).exp()).sum();
        assert!((sum - 15f32.log2()).abs() < 1e-3, "{sum}");
    }

    #[test]
    fn two_clumps_stay_two_clumps() -> anyhow::Result<()> {
        let values: Vec<f32> =
            (0..120).map(|i| (i % 60) as f32 * 0.1 + (i / 60) as f32 * 99.0).collect();
        let space = Tensor::from_slice(&values).view([60, 2]);
        let points = layout(&space, &Neighbours::of(&space, 5)?);
        let middle = |points: &[[f32; 2]]| {
            let n = points.len() as f32;
            points.iter().fold([0.0, 0.0], |m, p| [m[0] + p[0] / n, m[1] + p[1] / n])
        };
        let (one, two) = (middle(&points[..30]), middle(&points[30..]));
        assert!(points.iter().flatten().all(|v| v.is_finite()));
        assert!(points[..30].iter().all(|&p| squared_distance(p, one) < squared_distance(p, two)));
        assert!(points[30..].iter().all(|&p| squared_distance(p, two) < squared_distance(p, one)));
        Ok(())
    }
}
