//! The groups of a batch on several threads, in SIMD registers, with the bits of the core's serial engine.
//!
//! ```text
//! batch -> groups of 16 samples -> any thread: forward, loss, backward -> the thread's gradients of one group
//!       -> range after range of the parameters, as soon as the group before was there -> the gradient of the batch
//! ```
//!
//! Whichever thread computes a group, its gradient goes to that thread's own memory, and from there to the total in the
//! order of the groups: thread behind thread, range behind range, none waits long. So the number of threads, and which of
//! them was faster, changes nothing. Batches whose work would not pay for waking the threads are computed by the caller.
//!
//! Threads are those of a rayon pool, started once: a step of a small network takes 100 microseconds, as long as
//! starting a few threads does. Of rayon only the pool is used; who computes what is decided here, by a queue.

#[cfg(target_arch = "x86_64")]
use crate::compute::lanes::Lanes;
use crate::{
    Error,
    compute::lanes::{InstructionSet, Job, Vector},
};
use simloss_core::{
    Error as CoreError,
    gradient::{GroupGradient, commit},
    layers::Layer,
    loss::{Loss, Targets},
    number::{GROUP, Value, transpose},
    optimizer::{Optimizer, apply},
    train::{Batch, Engine, Evaluation, Features, Network, Work},
};
use std::sync::{Condvar, Mutex, PoisonError};

/// Rows of a table, chosen by their index: a batch without a copy.
///
/// ```
/// use simloss_core::train::Features;
/// use simloss_train::compute::engine::Rows;
/// let rows = Rows::new(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, &[2, 0])?;
/// assert_eq!((rows.samples(), rows.width()), (2, 2));
/// assert_eq!(rows.lanes::<f32>((), 0, 1, &mut []), [5.0, 6.0]);
/// # Ok::<(), simloss_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows<'a> {
    table: &'a [f32],
    width: usize,
    chosen: &'a [u32],
}

impl<'a> Rows<'a> {
    /// The rows `chosen` of `table`, which has `width` numbers in a row.
    ///
    /// # Errors
    /// [`CoreError::Length`] unless the table is a whole number of rows and has all that are chosen.
    pub fn new(table: &'a [f32], width: usize, chosen: &'a [u32]) -> Result<Self, CoreError> {
        let rows = table.len().checked_div(width).unwrap_or(0);
        if rows * width != table.len() {
            return Err(CoreError::Length { what: "the table", expected: rows * width, found: table.len() });
        }
        match chosen.iter().find(|&&i| i as usize >= rows) {
            Some(&row) => {
                Err(CoreError::Length { what: "the rows of the table", expected: row as usize + 1, found: rows })
            }
            None => Ok(Rows { table, width, chosen }),
        }
    }

    #[inline(always)]
    fn row(&self, i: usize) -> &'a [f32] {
        match self.chosen.get(i) {
            Some(&row) => &self.table[row as usize * self.width..][..self.width],
            None => &[],
        }
    }
}

impl Features<f32> for Rows<'_> {
    fn samples(&self) -> usize {
        self.chosen.len()
    }

    fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    fn lanes<'x, V: Value<Scalar = f32>>(
        &'x self,
        t: V::Token,
        first: usize,
        present: usize,
        buffer: &'x mut [V],
    ) -> &'x [V] {
        if let Some(values) = V::from_scalars(self.row(first)) {
            return values;
        }
        // Lanes without a sample repeat the first, so that they hold nothing that the others do not.
        let mut rows = [self.row(first); GROUP];
        for (l, row) in rows.iter_mut().enumerate().take(present.min(V::WIDTH)) {
            *row = self.row(first + l);
        }
        transpose(t, &rows, buffer);
        buffer
    }

    fn is_in_place(&self) -> bool {
        true
    }
}

/// Numbers that are added to the total at a time, while other threads add elsewhere.
const RANGE: usize = 8192;

/// Parameters times samples below which a batch is not worth a second thread.
const SMALL: usize = 1 << 18;

/// The core's engine on threads and SIMD registers.
///
/// Its memory is allocated when it is made, and for the first large batch; steps allocate nothing of size.
///
/// Errors are those of the core's `Serial` in `f32`: of several, that of the first sample. After an error `losses`,
/// `logits` and `total` hold anything.
///
/// ```
/// use simloss_core::{Label, layers::Dense, loss::{Criterion, CrossEntropy, Reduction, Targets}, optimizer::Sgd};
/// use simloss_core::train::{Batch, Model, Network, RowMajor, train_step};
/// use simloss_train::compute::{engine::Threads, lanes::InstructionSet};
/// let network = Network::new(Dense::new(1, 2), Criterion::new(CrossEntropy::new(2)?))?;
/// let mut engine = Threads::new(&network, 2, InstructionSet::chosen()?)?;
/// let (features, labels) = (RowMajor::new(&[1.0f32, -1.0], 1)?, [0, 1].map(|y| Label::new(y, 2).ok()));
/// let (mut parameters, mut gradient, mut losses, mut steps) = ([0.0f32; 4], [0.0; 4], [0.0; 2], 0);
/// let model = Model { parameters: &mut parameters, moments: &mut [], steps: &mut steps };
/// let targets = Targets::labels(&labels);
/// let batch = Batch { features: &features, targets, reduction: Reduction::MeanByWeight, losses: &mut losses };
/// let loss = train_step(&mut engine, &Sgd::new(1.0)?, model, &mut gradient, batch)?;
/// assert_eq!((loss, parameters), (core::f32::consts::LN_2, [0.5, -0.5, 0.0, 0.0]));
/// # Ok::<(), simloss_train::Error>(())
/// ```
#[derive(Debug)]
pub struct Threads<'a, 'c, N, L> {
    network: &'a Network<'c, N, L, f32>,
    pool: Option<rayon::ThreadPool>,
    workers: Workers,
}

/// One worker per thread, in the lanes that were chosen.
#[derive(Debug)]
enum Workers {
    #[cfg(target_arch = "x86_64")]
    Avx512(Crew<Lanes<pulp::x86::V4>>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Crew<Lanes<pulp::x86::V3>>),
    Scalar(Crew<f32>),
}

#[derive(Debug)]
struct Crew<V: Vector> {
    token: V::Token,
    workers: Vec<Worker<V>>,
}

/// The memory of one group at a time.
#[derive(Debug)]
struct Worker<V> {
    scalars: Vec<f32>,
    values: Vec<V>,
    /// The gradient of a group, zero between groups.
    sum: Vec<f32>,
}

impl<V: Vector> Worker<V> {
    /// What a group is computed in, and its gradient.
    fn parts(&mut self) -> (Work<'_, V>, &mut [f32]) {
        (Work { scalars: &mut self.scalars, values: &mut self.values }, &mut self.sum)
    }
}

/// What all groups of a batch share.
#[derive(Debug)]
struct Shared<'s, 'c, N, L, F> {
    network: &'s Network<'c, N, L, f32>,
    parameters: &'s [f32],
    features: &'s F,
    targets: &'s Targets<'s, f32>,
}

impl<N, L, F> Clone for Shared<'_, '_, N, L, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N, L, F> Copy for Shared<'_, '_, N, L, F> {}

impl<N: Layer<f32>, L: Loss<f32>, F: Features<f32>> Shared<'_, '_, N, L, F> {
    /// Adds the gradient of a group to `sum`.
    fn gradient<V: Vector>(
        self,
        t: V::Token,
        work: &mut Work<'_, V>,
        (group, losses, sum): (usize, &mut [f32], &mut [f32]),
    ) -> Result<(), Failed> {
        let Shared { network, parameters, features, targets } = self;
        let sink = &mut GroupGradient(sum);
        let result = network.gradient_of_group(t, parameters, features, targets, group, work, losses, sink);
        result.map_err(|error| (group, error))
    }

    /// Losses and logits of a group.
    fn losses<V: Vector>(
        self,
        t: V::Token,
        work: &mut Work<'_, V>,
        (group, losses, logits): (usize, &mut [f32], &mut [f32]),
    ) -> Result<(), Failed> {
        let Shared { network, parameters, features, targets } = self;
        let result = network.losses_of_group(t, parameters, features, targets, group, work, losses, logits);
        result.map_err(|error| (group, error))
    }
}

/// The gradient of a batch, to which groups are added in their order.
struct Turns<'t> {
    ranges: Vec<(Mutex<Turn<'t>>, Condvar)>,
}

/// A range of it.
struct Turn<'t> {
    /// The group that is added next.
    next: usize,
    /// Whether no more will be: a group failed.
    stopped: bool,
    total: &'t mut [f32],
}

impl<'t> Turns<'t> {
    fn new(total: &'t mut [f32]) -> Self {
        let turn = |total| (Mutex::new(Turn { next: 0, stopped: false, total }), Condvar::new());
        Turns { ranges: total.chunks_mut(RANGE).map(turn).collect() }
    }

    /// Adds the gradient of a group once all groups before it were added, and leaves zeroes; nothing after a failure.
    fn add<V: Vector>(&self, t: V::Token, group: usize, sum: &mut [f32]) {
        for ((turn, moved), sum) in self.ranges.iter().zip(sum.chunks_mut(RANGE)) {
            let waiting = moved.wait_while(lock(turn), |turn| turn.next < group && !turn.stopped);
            let mut turn = waiting.unwrap_or_else(PoisonError::into_inner);
            if turn.stopped {
                return;
            }
            V::call(t, CommitJob { sum, total: &mut *turn.total });
            turn.next = group + 1;
            drop(turn);
            moved.notify_all();
        }
    }

    /// Lets nobody wait for a group that will not come.
    fn stop(&self) {
        for (turn, moved) in &self.ranges {
            lock(turn).stopped = true;
            moved.notify_all();
        }
    }
}

/// Stops the turns unless its group was added: after an error, and in a panic, which must not become a deadlock.
struct Unless<'a, 't> {
    turns: &'a Turns<'t>,
    added: bool,
}

impl Drop for Unless<'_, '_> {
    fn drop(&mut self) {
        if !self.added {
            self.turns.stop();
        }
    }
}

/// Adds a range of the gradient of a group to that of the batch, and leaves zeroes.
struct CommitJob<'j> {
    sum: &'j mut [f32],
    total: &'j mut [f32],
}

impl<V: Vector> Job<V> for CommitJob<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        commit::<V>(t, self.sum, self.total);
    }
}

/// The optimizer's move.
struct ApplyJob<'j, S> {
    step: &'j S,
    scale: f32,
    gradient: &'j [f32],
    parameters: &'j mut [f32],
    moments: &'j mut [f32],
}

/// An [`ApplyJob`] of this optimizer.
struct Of<O, J>(J, std::marker::PhantomData<O>);

impl<V: Vector, O: Optimizer<f32>> Job<V> for Of<O, ApplyJob<'_, O::Step>> {
    type Output = Result<(), CoreError>;

    #[inline(always)]
    fn run(self, t: V::Token) -> Self::Output {
        let ApplyJob { step, scale, gradient, parameters, moments } = self.0;
        apply::<V, O>(t, step, scale, gradient, parameters, moments)
    }
}

/// The first group that failed, and how.
type Failed = (usize, CoreError);

impl<V: Vector> Crew<V> {
    fn new<N: Layer<f32>, L: Loss<f32>>(token: V::Token, network: &Network<'_, N, L, f32>, threads: usize) -> Self {
        let needed = network.scratch::<V>(true, false);
        let zero = V::splat(token, 0.0);
        let worker = || Worker { scalars: vec![0.0; needed.scalars], values: vec![zero; needed.values], sum: vec![] };
        Crew { token, workers: (0..threads).map(|_| worker()).collect() }
    }

    fn gradient<N: Layer<f32> + Sync, L: Loss<f32> + Sync, F: Features<f32> + Sync>(
        &mut self,
        pool: Option<&rayon::ThreadPool>,
        shared: Shared<'_, '_, N, L, F>,
        losses: &mut [f32],
        total: &mut [f32],
    ) -> Result<(), Failed> {
        let token = self.token;
        let compute = |worker: &mut Worker<V>, group, losses: &mut [f32], total: Option<&mut [f32]>| {
            let (mut work, sum) = worker.parts();
            shared.gradient(token, &mut work, (group, losses, total.unwrap_or(sum)))
        };
        if losses.len() <= GROUP {
            // As in the core: a single group is its own total.
            return self.workers.first_mut().map_or(Ok(()), |worker| compute(worker, 0, losses, Some(total)));
        }
        let n = total.len();
        for worker in &mut self.workers {
            worker.sum.resize(n, 0.0);
        }
        let turns = Turns::new(total);
        let result = share(pool, &mut self.workers, losses.chunks_mut(GROUP).enumerate(), |worker, (group, losses)| {
            let mut turn = Unless { turns: &turns, added: false };
            compute(worker, group, losses, None)?;
            turns.add::<V>(token, group, &mut worker.sum);
            turn.added = true;
            Ok(())
        });
        if result.is_err() {
            // What was not added must not be part of the next batch.
            self.workers.iter_mut().for_each(|worker| worker.sum.fill(0.0));
        }
        result
    }

    fn losses<N: Layer<f32> + Sync, L: Loss<f32> + Sync, F: Features<f32> + Sync>(
        &mut self,
        pool: Option<&rayon::ThreadPool>,
        shared: Shared<'_, '_, N, L, F>,
        losses: &mut [f32],
        logits: &mut [f32],
    ) -> Result<(), Failed> {
        let token = self.token;
        let mut rows = logits.chunks_mut((GROUP * shared.network.layers().shape().outputs).max(1));
        let groups = losses.chunks_mut(GROUP).enumerate().map(|(group, losses)| {
            let logits = rows.next().unwrap_or_default();
            (group, losses, logits)
        });
        share(pool, &mut self.workers, groups, |worker, group| shared.losses(token, &mut worker.parts().0, group))
    }
}

/// Lets workers take items, one after another, until there are no more or one of theirs fails; the first worker alone
/// where there is no pool. Of several errors that of the first group counts: all groups before it were taken before it,
/// and are finished.
fn share<W: Send, I: Iterator<Item: Send> + Send>(
    pool: Option<&rayon::ThreadPool>,
    workers: &mut [W],
    mut items: I,
    task: impl Fn(&mut W, I::Item) -> Result<(), Failed> + Sync,
) -> Result<(), Failed> {
    let Some(pool) = pool else {
        return workers.first_mut().map_or(Ok(()), |worker| items.try_for_each(|item| task(worker, item)));
    };
    let (queue, failed) = (&Mutex::new(items), &Mutex::new(None::<Failed>));
    let task = &task;
    pool.in_place_scope(|scope| {
        for worker in workers {
            scope.spawn(move |_| {
                let next = || lock(queue).next();
                while let Some(item) = next() {
                    if let Err(error) = task(worker, item) {
                        let mut first = lock(failed);
                        if first.is_none_or(|first| error.0 < first.0) {
                            *first = Some(error);
                        }
                        return;
                    }
                }
            });
        }
    });
    lock(failed).map_or(Ok(()), Err)
}

/// A thread that panicked leaves nothing half-done in a queue; rayon passes its panic on.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a, 'c, N: Layer<f32>, L: Loss<f32>> Threads<'a, 'c, N, L> {
    /// An engine for `network` on `threads` threads (at least one).
    ///
    /// # Errors
    /// [`Error::InstructionSet`] for instructions that this processor does not have, [`Error::Setting`] where the
    /// operating system refuses so many threads.
    pub fn new(network: &'a Network<'c, N, L, f32>, threads: usize, set: InstructionSet) -> Result<Self, Error> {
        let threads = threads.max(1);
        let pool = match threads {
            1 => None,
            n => Some(rayon::ThreadPoolBuilder::new().num_threads(n).build().map_err(|problem| Error::Setting {
                name: "--threads",
                domain: "a number of threads that this machine can start",
                found: format!("{n} ({problem})"),
            })?),
        };
        let workers = match set {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => {
                Workers::Avx512(Crew::new(InstructionSet::token(set, pulp::x86::V4::try_new)?, network, threads))
            }
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => {
                Workers::Avx2(Crew::new(InstructionSet::token(set, pulp::x86::V3::try_new)?, network, threads))
            }
            #[cfg(not(target_arch = "x86_64"))]
            InstructionSet::Avx512 | InstructionSet::Avx2 => InstructionSet::token(set, || None)?,
            InstructionSet::Scalar => Workers::Scalar(Crew::new((), network, threads)),
        };
        Ok(Threads { network, pool, workers })
    }

    /// The error of a group as one sample at a time finds it: which of several comes first depends on the lanes.
    fn one_at_a_time<F: Features<f32>>(
        shared: Shared<'_, '_, N, L, F>,
        samples: usize,
        (group, error): Failed,
    ) -> CoreError {
        let mut crew = Crew::<f32>::new((), shared.network, 1);
        let [worker, ..] = &mut crew.workers[..] else { return error };
        let present = samples.saturating_sub(group * GROUP).min(GROUP);
        let losses = &mut [0.0; GROUP][..present];
        shared.losses((), &mut worker.parts().0, (group, losses, &mut [])).err().map_or(error, |(_, error)| error)
    }
}

impl<N: Layer<f32> + Sync, L: Loss<f32> + Sync> Engine<f32> for Threads<'_, '_, N, L> {
    fn check<F: Features<f32>>(&self, parameters: &[f32], batch: &Batch<'_, F, f32>) -> Result<f32, CoreError> {
        self.network.omega(parameters, batch)
    }

    fn gradient<F: Features<f32> + Sync>(
        &mut self,
        parameters: &[f32],
        features: &F,
        targets: &Targets<'_, f32>,
        losses: &mut [f32],
        total: &mut [f32],
    ) -> Result<(), CoreError> {
        let shared = Shared { network: self.network, parameters, features, targets };
        let work = losses.len().saturating_mul(total.len());
        let pool = self.pool.as_ref().filter(|_| work >= SMALL);
        let result = match &mut self.workers {
            #[cfg(target_arch = "x86_64")]
            Workers::Avx512(crew) => crew.gradient(pool, shared, losses, total),
            #[cfg(target_arch = "x86_64")]
            Workers::Avx2(crew) => crew.gradient(pool, shared, losses, total),
            Workers::Scalar(crew) => crew.gradient(pool, shared, losses, total),
        };
        result.map_err(|failed| Self::one_at_a_time(shared, losses.len(), failed))
    }

    fn losses<F: Features<f32> + Sync>(
        &mut self,
        parameters: &[f32],
        evaluation: Evaluation<'_, F, f32>,
    ) -> Result<(), CoreError> {
        self.network.check_evaluation(parameters, &evaluation)?;
        let Evaluation { features, targets, losses, logits } = evaluation;
        let shared = Shared { network: self.network, parameters, features, targets: &targets };
        let work = losses.len().saturating_mul(parameters.len());
        let pool = self.pool.as_ref().filter(|_| work >= SMALL);
        let result = match &mut self.workers {
            #[cfg(target_arch = "x86_64")]
            Workers::Avx512(crew) => crew.losses(pool, shared, losses, logits),
            #[cfg(target_arch = "x86_64")]
            Workers::Avx2(crew) => crew.losses(pool, shared, losses, logits),
            Workers::Scalar(crew) => crew.losses(pool, shared, losses, logits),
        };
        result.map_err(|failed| Self::one_at_a_time(shared, losses.len(), failed))
    }

    fn apply<O: Optimizer<f32>>(
        &mut self,
        step: &O::Step,
        scale: f32,
        gradient: &[f32],
        parameters: &mut [f32],
        moments: &mut [f32],
    ) -> Result<(), CoreError> {
        let job = Of::<O, _>(ApplyJob { step, scale, gradient, parameters, moments }, std::marker::PhantomData);
        match &self.workers {
            #[cfg(target_arch = "x86_64")]
            Workers::Avx512(crew) => Lanes::call(crew.token, job),
            #[cfg(target_arch = "x86_64")]
            Workers::Avx2(crew) => Lanes::call(crew.token, job),
            Workers::Scalar(_) => f32::call((), job),
        }
    }
}
