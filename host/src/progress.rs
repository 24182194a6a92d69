//! How far a job is: a bar on a terminal, plain lines elsewhere, on standard error.

use std::{
    io::{self, IsTerminal},
    time::Instant,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use scvi_framework::model::{Event, Observer};

use crate::{interrupt, term};

/// About how many lines a training prints where there is no terminal.
const LINES: usize = 20;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A bar on a terminal, lines elsewhere.
    Progress,
    /// Only notes.
    Notes,
    /// Nothing.
    Nothing,
}

/// Shows events of a job to the user, and passes Ctrl-C on to it.
#[derive(Debug)]
pub struct Progress {
    show: Show,
    bar: Option<ProgressBar>,
    on_terminal: bool,
    lines: Lines,
}

impl Progress {
    /// Watches a job, and Ctrl-C from now on.
    pub fn new(show: Show) -> Self {
        interrupt::watch();
        let on_terminal = io::stderr().is_terminal();
        Self { show, bar: None, on_terminal, lines: Lines::from_now() }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| term::tell(line)),
            None => term::tell(line),
        }
    }

    fn bar(&mut self, length: usize, template: &str) -> &ProgressBar {
        self.bar.get_or_insert_with(|| {
            let rate = |state: &ProgressState, w: &mut dyn std::fmt::Write| {
                let _ = write!(w, "{} cells/s", term::grouped(state.per_sec() as usize));
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .with_key("rate", rate)
                .progress_chars("━╸ ");
            let target = ProgressDrawTarget::stderr();
            ProgressBar::with_draw_target(Some(length as u64), target).with_style(style)
        })
    }
}

impl Observer for Progress {
    fn hear(&mut self, event: &Event) {
        match (event, self.show) {
            (_, Show::Nothing) => {}
            (Event::Note { text }, _) => self.say(&format!("note: {text}")),
            (_, Show::Notes) => {}
            (&Event::Training { epoch, max_epochs, cells, n_cells, loss }, _)
                if self.on_terminal =>
            {
                let template = "{prefix} {bar:32} {msg}  {rate}  {eta} left";
                let bar = self.bar(max_epochs * n_cells, template);
                bar.set_prefix(format!("epoch {}/{max_epochs}", epoch + 1));
                bar.set_message(format!("loss {}", term::number(loss)));
                bar.set_position((epoch * n_cells + cells) as u64);
            }
            (&Event::Progress { done, total }, _) if self.on_terminal => {
                self.bar(total, "{bar:32} {pos}/{len}  {rate}  {eta} left")
                    .set_position(done as u64);
            }
            (&Event::Training { epoch, max_epochs, cells, n_cells, loss }, _) => {
                if let Some(line) = self.lines.training(epoch, max_epochs, cells, n_cells, loss) {
                    self.say(&line);
                }
            }
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// One line per epoch, or per several when there are many.
#[derive(Debug)]
struct Lines {
    start: Instant,
    first_epoch: Option<usize>,
}

impl Lines {
    fn from_now() -> Self {
        Self { start: Instant::now(), first_epoch: None }
    }

    fn training(
        &mut self,
        epoch: usize,
        max_epochs: usize,
        cells: usize,
        n_cells: usize,
        loss: f64,
    ) -> Option<String> {
        let first = *self.first_epoch.get_or_insert(epoch);
        let (done, every) = (epoch + 1, max_epochs.div_ceil(LINES).max(1));
        let shown = epoch == first || done == max_epochs || done.is_multiple_of(every);
        if cells < n_cells || !shown {
            return None;
        }
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = ((done - first) * n_cells) as f64 / seconds.max(1e-9);
        let left = ((max_epochs - done) * n_cells) as f64 / rate;
        let width = max_epochs.to_string().len();
        Some(format!(
            "epoch {done:>width$}/{max_epochs}  loss {}  {} cells/s  {} left",
            term::number(loss),
            term::grouped(rate as usize),
            term::duration(left),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(max_epochs: usize) -> Vec<usize> {
        let mut lines = Lines::from_now();
        let mut epoch_has_line = |e: &usize| {
            assert_eq!(lines.training(*e, max_epochs, 5, 10, 1.0), None);
            lines.training(*e, max_epochs, 10, 10, 1.0).is_some()
        };
        (0..max_epochs).filter(|e| epoch_has_line(e)).map(|e| e + 1).collect()
    }

    #[test]
    fn lines_are_thinned_and_never_miss_the_ends() {
        assert_eq!(shown(3), [1, 2, 3]);
        let many = shown(400);
        assert_eq!((many[0], many[1], many[20]), (1, 20, 400));
        assert_eq!(shown(41).last(), Some(&41));
    }

    #[test]
    fn a_line_says_epoch_loss_speed_and_time() {
        let line = Lines::from_now().training(7, 30, 10, 10, 1256.934).unwrap();
        assert!(line.starts_with("epoch  8/30  loss 1256.93  "), "{line}");
        assert!(line.ends_with(" s left") && line.contains(" cells/s  "), "{line}");
    }
}
