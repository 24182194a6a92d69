//! What holds for every job of a session.

use serde::{Deserialize, Serialize};
use tch::Device;

use crate::error::{Error, Result};

/// What holds for every job of a session: seed, device, threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Fixes initial weights, split, order of cells and noise.
    pub seed: i64,
    /// `auto`, `cpu`, `cuda`, `cuda:1`, or the number of a GPU.
    pub device: String,
    /// Threads of libtorch; its own choice when none is given.
    pub threads: Option<i32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, device: "auto".into(), threads: None }
    }
}

impl Settings {
    /// The device meant: the first GPU for `auto`, if there is one.
    ///
    /// # Errors
    /// [`Error::Argument`] for a name that is none, or a GPU that is not there.
    pub fn device(&self) -> Result<Device> {
        let gpus = tch::Cuda::device_count() as usize;
        let wrong = |expected: &str| Error::Argument {
            name: "device".into(),
            expected: expected.into(),
            found: self.device.clone(),
        };
        match self.device.as_str() {
            "auto" => Ok(if gpus > 0 { Device::Cuda(0) } else { Device::Cpu }),
            "cpu" => Ok(Device::Cpu),
            name => {
                let i = match name.strip_prefix("cuda") {
                    Some("") => "0",
                    Some(rest) => rest.strip_prefix(':').unwrap_or_default(),
                    None => name,
                };
                let i: usize = i.parse().map_err(|_| wrong("auto, cpu, cuda, cuda:N or N"))?;
                let present = format!("a GPU that is there ({gpus} found)");
                if i < gpus { Ok(Device::Cuda(i)) } else { Err(wrong(&present)) }
            }
        }
    }

    /// Seeds libtorch's generator and sets its threads, for the process.
    pub fn apply(&self) {
        tch::manual_seed(self.seed);
        if let Some(threads) = self.threads {
            tch::set_num_threads(threads);
        }
    }
}
