//! How far the runs are: bars with rate and time left on a terminal, a line now and then elsewhere.

use crate::run::{record::Epoch, train::Watch};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
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
    /// Those that are done, and of these those that were trained here: the others were done before.
    done: usize,
    trained: usize,
}

impl State {
    fn new(runs: usize) -> Self {
        let now = Instant::now();
        State { started: now, said: now, runs, done: 0, trained: 0 }
    }

    /// How long all the runs that are left take, if they take as long as those that were trained here.
    fn left(&self) -> String {
        if self.trained == 0 || self.done == self.runs {
            // Nothing to go by, or nothing to do.
            return String::new();
        }
        let each = self.started.elapsed().as_secs_f64() / self.trained as f64;
        let left = Duration::from_secs_f64(each * (self.runs - self.done) as f64);
        format!(", {:#} left", HumanDuration(left))
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
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs{msg}");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_length(runs as u64);
        self.bar.reset();
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    /// One more run is done; `trained` here, or found finished.
    pub(crate) fn run_done(&self, trained: bool) {
        self.bar.inc(1);
        let mut state = self.state();
        state.done += 1;
        state.trained += usize::from(trained);
        let said = format!("{}, {}", state.left(), self.rate(&state));
        if self.lines && (state.said.elapsed() >= BETWEEN_LINES || state.done == state.runs) {
            state.said = Instant::now();
            eprintln!("{}/{} runs{said}", state.done, state.runs);
        }
        self.bar.set_message(said);
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

    /// For one run. One that runs alone has a title: its epochs are shown.
    pub(crate) fn watch(&self, alone: Option<String>) -> RunWatch<'_> {
        RunWatch { progress: self, samples: 0, alone, epoch: [0; 3] }
    }

    /// How far a run is, and how far all are; where there is no terminal at most one line in a while.
    fn say(&self, run: impl FnOnce(String) -> String) {
        let mut state = self.state();
        let rate = self.rate(&state);
        if self.lines && state.said.elapsed() >= BETWEEN_LINES {
            state.said = Instant::now();
            eprintln!("{}/{} runs{}, {}", state.done, state.runs, state.left(), run(rate));
        } else if !self.bar.is_hidden() {
            self.bar.set_message(format!("{}, {}", state.left(), run(rate)));
        }
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
    alone: Option<String>,
    /// The epoch, of how many, with how many batches.
    epoch: [usize; 3],
}

impl RunWatch<'_> {
    /// Whether it was trained at all.
    pub(crate) fn trained(&self) -> bool {
        self.epoch[0] > 0
    }

    /// Counts the samples since the last time.
    fn count(&mut self) {
        self.progress.samples.fetch_add(std::mem::take(&mut self.samples) as u64, Ordering::Relaxed);
    }
}

impl Watch for RunWatch<'_> {
    fn epoch_started(&mut self, epoch: usize, epochs: usize, batches: usize) {
        self.epoch = [epoch, epochs, batches];
    }

    fn batch_done(&mut self, batch: usize, samples: usize, _loss: f32) {
        self.samples += samples;
        if self.alone.is_some() {
            self.count();
            let ([epoch, epochs, batches], Some(title)) = (self.epoch, &self.alone) else { return };
            self.progress
                .say(|rate| format!("{title}: epoch {epoch} of at most {epochs}, batch {batch} of {batches}, {rate}"));
        }
    }

    fn epoch_done(&mut self, _epoch: &Epoch, _best: bool) {
        if self.alone.is_none() {
            self.count();
            self.progress.say(|rate| rate);
        }
    }

    fn should_stop(&mut self) -> bool {
        self.progress.stopped()
    }
}
