//! How far the runs are: bars with rate and time left on a terminal, a line now and then elsewhere.

use crate::{record::Epoch, run::Watch};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::{
    fmt::Write,
    io::IsTerminal,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Where there is no terminal: at most one line in this time.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Shows how far many runs are, and carries the wish to stop to each.
#[derive(Debug)]
pub struct Progress<'a> {
    stop: &'a AtomicBool,
    bar: ProgressBar,
    lines: bool,
    samples: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    started: Instant,
    said: Instant,
    runs: usize,
    done: usize,
}

impl State {
    fn new(runs: usize) -> Self {
        let now = Instant::now();
        State { started: now, said: now, runs, done: 0 }
    }
}

impl<'a> Progress<'a> {
    /// Shows progress on standard error; `stop` ends the runs once it is set.
    pub fn new(stop: &'a AtomicBool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal { ProgressBar::no_length() } else { ProgressBar::hidden() };
        Self::with(stop, bar, !terminal)
    }

    /// Shows nothing.
    pub fn silent(stop: &'a AtomicBool) -> Self {
        Self::with(stop, ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()), false)
    }

    fn with(stop: &'a AtomicBool, bar: ProgressBar, lines: bool) -> Self {
        Progress { stop, bar, lines, samples: AtomicU64::new(0), state: Mutex::new(State::new(0)) }
    }

    /// That many runs begin.
    pub(crate) fn started(&self, runs: usize) {
        *self.state() = State::new(runs);
        let left = |state: &ProgressState, f: &mut dyn Write| {
            // Not before a run is done: there is nothing to go by.
            let _ = match state.pos() {
                0 => Ok(()),
                _ => write!(f, "{:#} left", HumanDuration(state.eta())),
            };
        };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs  {left:>10}  {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("left", left);
        self.bar.set_style(style);
        self.bar.set_length(runs as u64);
        self.bar.reset();
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    /// One more run is done.
    pub(crate) fn run_done(&self) {
        self.bar.inc(1);
        let mut state = self.state();
        state.done += 1;
        let rate = self.rate(&state);
        if self.lines && (state.said.elapsed() >= BETWEEN_LINES || state.done == state.runs) {
            state.said = Instant::now();
            let left = HumanDuration(self.bar.eta());
            eprintln!("{}/{} runs, {rate}, {left:#} left", state.done, state.runs);
        }
    }

    /// All are.
    pub(crate) fn finished(&self) {
        self.bar.finish_and_clear();
    }

    /// Ends the runs.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether they are to end.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// For one run.
    pub(crate) fn watch(&self) -> RunWatch<'_> {
        RunWatch { progress: self, samples: 0 }
    }

    fn rate(&self, state: &State) -> String {
        let seconds = state.started.elapsed().as_secs_f64().max(1e-3);
        format!("{:.0} samples/s", self.samples.load(Ordering::Relaxed) as f64 / seconds)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Shows how many images are decoded.
#[derive(Debug)]
pub struct Decoding {
    bar: ProgressBar,
    lines: bool,
    said: Mutex<Instant>,
}

impl Default for Decoding {
    /// On standard error.
    fn default() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} images decoded  {per_sec}  {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Decoding { bar, lines: !terminal, said: Mutex::new(Instant::now()) }
    }
}

impl Decoding {
    /// That many of all are decoded; from any thread.
    pub fn done(&self, done: usize, all: usize) {
        self.bar.set_length(all as u64);
        self.bar.set_position(done as u64);
        if done == all {
            self.bar.finish_and_clear();
        }
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.lines && said.elapsed() >= BETWEEN_LINES {
            *said = Instant::now();
            eprintln!("{done}/{all} images decoded");
        }
    }
}

/// Looks on at one run among many.
#[derive(Debug)]
pub(crate) struct RunWatch<'a> {
    progress: &'a Progress<'a>,
    samples: usize,
}

impl Watch for RunWatch<'_> {
    fn batch_done(&mut self, _batch: usize, samples: usize, _loss: f32) {
        self.samples += samples;
    }

    fn epoch_done(&mut self, _epoch: &Epoch, _best: bool) {
        let progress = self.progress;
        progress.samples.fetch_add(std::mem::take(&mut self.samples) as u64, Ordering::Relaxed);
        progress.bar.set_message(progress.rate(&progress.state()));
    }

    fn should_stop(&mut self) -> bool {
        self.progress.stopped()
    }
}
