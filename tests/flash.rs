//! Two slots in a simulated flash memory whose power is cut at every word of a save: what boots is the old state or the
//! new one, and training goes on to the same bits.

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};
use proptest::prelude::*;
use simloss_core::{
    Error, Label, Random,
    device::{
        checkpoint::{HEADER, Header, decode, encode},
        flash::{FlashError, Slots},
    },
    layers::{Dense, Layer},
    loss::{Criterion, CrossEntropy, Reduction, Targets},
    optimizer::Adam,
    train::{Batch, Model, Network, RowMajor, Work, train_one},
};
use simloss_tests::{Outcome, bits, config};
use std::{cell::RefCell, rc::Rc};

/// What a word (or, of an erasure, a page) is like where the power went.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    /// Not begun.
    Nothing,
    /// Its first half done.
    Half,
    /// Some of its bits done, drawn from a seed.
    Bits(u64),
    /// Done, and the power gone right after it.
    All,
}

/// Erased to ones, written word by word, and a word only once; a power that goes after some words and pages.
#[derive(Clone, Debug)]
struct Nor<const WORD: usize, const PAGE: usize> {
    bytes: Vec<u8>,
    /// Words written and pages erased until the power goes, and what is left of that one.
    cut: Option<(usize, Left)>,
    off: bool,
    operations: usize,
    erased: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum NorError {
    PowerCut,
    Wrong(NorFlashErrorKind),
    /// A word was written that was not erased.
    WrittenTwice,
}

impl NorFlashError for NorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            NorError::Wrong(kind) => *kind,
            _ => NorFlashErrorKind::Other,
        }
    }
}

impl<const WORD: usize, const PAGE: usize> Nor<WORD, PAGE> {
    fn new(pages: usize) -> Self {
        // As it comes from whatever was there before.
        Nor { bytes: vec![0x5a; pages * PAGE], cut: None, off: false, operations: 0, erased: 0 }
    }

    fn check(&self, from: usize, to: usize, unit: usize) -> Result<(), NorError> {
        if self.off {
            Err(NorError::PowerCut)
        } else if from > to || to > self.bytes.len() {
            Err(NorError::Wrong(NorFlashErrorKind::OutOfBounds))
        } else if !from.is_multiple_of(unit) || !to.is_multiple_of(unit) {
            Err(NorError::Wrong(NorFlashErrorKind::NotAligned))
        } else {
            Ok(())
        }
    }

    /// One word or page becomes `new`, or what a cut leaves of that.
    fn change(&mut self, at: usize, new: &[u8]) -> Result<(), NorError> {
        let old = self.bytes[at..at + new.len()].to_vec();
        let left = match self.cut {
            Some((0, left)) => left,
            _ => Left::All,
        };
        let half = new.len() / 2;
        for (i, (old, new)) in old.iter().zip(new).enumerate() {
            let changed = match left {
                Left::Nothing => 0,
                Left::All => 0xff,
                // Of a word of one byte, its low bits.
                Left::Half if half > 0 => {
                    if i < half {
                        0xff
                    } else {
                        0
                    }
                }
                Left::Half => 0x0f,
                Left::Bits(seed) => Random::new(seed).key(i as u64).next_u64() as u8,
            };
            self.bytes[at + i] = (old & !changed) | (new & changed);
        }
        self.operations += 1;
        match &mut self.cut {
            Some((0, _)) => {
                self.off = true;
                Err(NorError::PowerCut)
            }
            Some((rest, _)) => {
                *rest -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl<const WORD: usize, const PAGE: usize> ErrorType for Nor<WORD, PAGE> {
    type Error = NorError;
}

impl<const WORD: usize, const PAGE: usize> ReadNorFlash for Nor<WORD, PAGE> {
    const READ_SIZE: usize = WORD;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        let from = offset as usize;
        self.check(from, from + bytes.len(), WORD)?;
        bytes.copy_from_slice(&self.bytes[from..from + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const WORD: usize, const PAGE: usize> NorFlash for Nor<WORD, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.check(from as usize, to as usize, PAGE)?;
        for page in (from as usize..to as usize).step_by(PAGE) {
            self.erased += 1;
            self.change(page, &[0xff; PAGE])?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        let from = offset as usize;
        self.check(from, from + bytes.len(), WORD)?;
        for (word, at) in bytes.chunks(WORD).zip((from..).step_by(WORD)) {
            if self.bytes[at..at + WORD].iter().any(|&byte| byte != 0xff) {
                return Err(NorError::WrittenTwice);
            }
            self.change(at, word)?;
        }
        Ok(())
    }
}

const FEATURES: usize = 2;
const CLASSES: usize = 3;
const PARAMETERS: usize = (FEATURES + 1) * CLASSES;

fn head() -> Dense {
    Dense::new(FEATURES, CLASSES)
}

fn header() -> Result<Header, Error> {
    Header::new(&head().dense_shape(), 2)
}

#[derive(Clone, Debug, PartialEq)]
struct State {
    parameters: [f32; PARAMETERS],
    moments: [f32; 2 * PARAMETERS],
    steps: u64,
}

impl State {
    /// What leaves the factory.
    fn factory() -> Self {
        let mut parameters = [0.0; PARAMETERS];
        head().initialise(&mut parameters, &mut Random::new(1));
        State { parameters, moments: [0.0; 2 * PARAMETERS], steps: 0 }
    }

    fn model(&mut self) -> Model<'_, f32> {
        Model { parameters: &mut self.parameters, moments: &mut self.moments, steps: &mut self.steps }
    }

    /// Trains until `steps` steps are taken; what a step sees depends on its number only.
    fn train(mut self, steps: u64) -> Result<Self, Error> {
        let network = Network::new(head(), Criterion::new(CrossEntropy::new(CLASSES)?))?;
        while self.steps < steps {
            let mut random = Random::new(2).key(self.steps);
            let x = [random.unit(), random.unit()];
            let truth = [Some(Label::new(random.below(CLASSES), CLASSES)?)];
            let (features, targets) = (&RowMajor::new(&x, FEATURES)?, Targets::labels(&truth));
            let batch = Batch { features, targets, reduction: Reduction::Sum, losses: &mut [0.0] };
            let work = &mut Work { scalars: &mut [], values: &mut [0.0; 2 * CLASSES] };
            train_one(&network, work, &Adam::new(0.05)?, self.model(), batch)?;
        }
        Ok(self)
    }

    fn bits(&self) -> (Vec<u64>, Vec<u64>, u64) {
        (bits(&self.parameters), bits(&self.moments), self.steps)
    }
}

type Result2<T> = Result<T, FlashError<NorError>>;

/// What a device does first: the factory's state, or what was saved.
fn boot<const W: usize, const P: usize>(flash: Nor<W, P>) -> Result2<(Slots<Nor<W, P>>, State)> {
    let flash = Nor { cut: None, off: false, ..flash };
    let mut slots = Slots::open(flash, P as u32, header()?)?;
    let mut state = State::factory();
    slots.load(state.model())?;
    Ok((slots, state))
}

/// Pages for two slots behind a first page that is somebody else's.
fn pages<const W: usize, const P: usize>() -> Result<usize, Error> {
    Ok(1 + 2 * Slots::<Nor<W, P>>::slot_bytes(&header()?) / P)
}

/// Saves at step 3, 5 and 9, the power cut at every word and page of each save, in every way.
fn cut_everywhere<const W: usize, const P: usize>() -> Outcome {
    let mut states = vec![State::factory()];
    for steps in [3, 5, 9] {
        states.push(State::factory().train(steps)?);
    }
    let end = State::factory().train(12)?;
    let mut flash = Nor::<W, P>::new(pages::<W, P>()?);
    let mut cuts = 0;
    for pair in states.windows(2) {
        let [old, new] = pair else { continue };
        // The save as it is without a cut.
        let (mut whole, found) = boot(flash.clone())?;
        assert_eq!(found.bits(), old.bits());
        let before = whole.release().operations;
        whole = boot(flash.clone())?.0;
        whole.save(&new.clone().model())?;
        let saved = whole.release();
        let operations = saved.operations - before;
        let words = (HEADER + 4 * 3 * PARAMETERS).div_ceil(W);
        assert_eq!(operations, saved.erased - flash.erased + words, "words of {W}");
        assert_eq!(saved.bytes[..P], [0x5a; P], "the first page is somebody else's");

        for at in 0..operations {
            let ways = [Left::Nothing, Left::Half, Left::Bits(1), Left::Bits(2), Left::Bits(3), Left::All];
            for left in ways {
                let what = format!("words of {W}, pages of {P}: cut in operation {at}, left {left:?}");
                let (slots, _) = boot(flash.clone())?;
                let cut = Nor { cut: Some((at, left)), ..slots.release() };
                let mut slots = Slots::open(cut, P as u32, header()?)?;
                let result = slots.save(&new.clone().model());
                assert_eq!(result, Err(FlashError::Flash(NorError::PowerCut)), "{what}");

                let (mut slots, found) = boot(slots.release())?;
                let is_new = found.bits() == new.bits();
                assert!(is_new || found.bits() == old.bits(), "{what}: neither the old state nor the new one");
                // Only the last word makes the new one count.
                assert!(!is_new || at + 1 == operations, "{what}: new too early");
                assert!(is_new || (at + 1, left) != (operations, Left::All), "{what}: all written, and not seen");

                // Training goes on, and saves, as if nothing had been.
                let resumed = found.train(12)?;
                assert_eq!(resumed.bits(), end.bits(), "{what}");
                slots.save(&resumed.clone().model())?;
                let (_, found) = boot(slots.release())?;
                assert_eq!(found.bits(), end.bits(), "{what}");
                cuts += 1;
            }
        }
        flash = saved;
    }
    assert!(cuts > 3 * 6 * (HEADER + 12 * PARAMETERS) / W, "{cuts} cuts");
    Ok(())
}

#[test]
fn a_cut_anywhere_leaves_the_old_state_or_the_new_one() -> Outcome {
    cut_everywhere::<1, 64>()?;
    cut_everywhere::<2, 256>()?;
    cut_everywhere::<4, 128>()?;
    cut_everywhere::<8, 4096>()?;
    cut_everywhere::<16, 512>()?;
    cut_everywhere::<32, 256>()
}

proptest! {
    #![proptest_config(config())]

    /// Cut after cut, in any order, the device never loses more than the save that was cut.
    #[test]
    fn cut_after_cut(cuts in prop::collection::vec((0usize..60, 0u64..50), 1..12)) {
        let mut flash = Nor::<4, 128>::new(pages::<4, 128>().expect("fits"));
        let mut last = State::factory();
        for (at, seed) in cuts {
            let (slots, found) = boot(flash).expect("boots");
            prop_assert_eq!(found.bits(), last.bits());
            let next = found.train(last.steps + 2).expect("trains");
            let mut slots = Slots::open(Nor { cut: Some((at, Left::Bits(seed))), ..slots.release() }, 128, header()?).expect("opens");
            let saved = slots.save(&next.clone().model());
            flash = slots.release();
            if saved.is_ok() {
                last = next;
            } else {
                // All bits of the last word may have been done.
                let (slots, found) = boot(flash).expect("boots");
                prop_assert!(found.bits() == last.bits() || found.bits() == next.bits());
                last = found;
                flash = slots.release();
            }
        }
    }
}

#[test]
fn saves_take_turns_and_the_sequence_wraps() -> Outcome {
    let flash = Nor::<4, 256>::new(pages::<4, 256>()?);
    let (mut slots, mut state) = boot(flash)?;
    let mut places = vec![];
    for n in 1..=4 {
        state.steps = n;
        assert_eq!(slots.save(&state.model())?.sequence, n as u32);
        let [a, b] = slots.found().map(|found| found.map(|header| header.sequence));
        places.push((a.ok(), b.ok()));
    }
    assert_eq!(places, [(Some(1), None), (Some(1), Some(2)), (Some(3), Some(2)), (Some(3), Some(4))]);
    // At the end of its numbers the next is 0, and counts.
    let mut flash = slots.release();
    for (slot, sequence) in [(0u32, u32::MAX - 1), (1, u32::MAX)] {
        let header = Header { sequence, steps: u64::from(sequence), ..header()? };
        let size = Slots::<Nor<4, 256>>::slot_bytes(&header);
        let mut bytes = vec![0xff; header.bytes()];
        encode(&header, &state.parameters, &state.moments, &mut bytes)?;
        let at = 256 + slot as usize * size;
        flash.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    let (mut slots, mut state) = boot(flash)?;
    assert_eq!(state.steps, u64::from(u32::MAX));
    for expected in [0, 1] {
        state.steps = u64::from(expected) + 77;
        assert_eq!(slots.save(&state.model())?.sequence, expected);
        let (again, found) = boot(slots.release())?;
        assert_eq!(found.bits(), state.bits());
        slots = again;
    }
    Ok(())
}

/// A slot is a checkpoint, byte for byte: what the desktop decodes.
#[test]
fn a_slot_is_a_checkpoint() -> Outcome {
    let flash = Nor::<8, 512>::new(pages::<8, 512>()?);
    let (mut slots, _) = boot(flash)?;
    let mut state = State::factory().train(6)?;
    slots.save(&state.model())?;
    let flash = slots.release();
    let mut back = State::factory();
    let found = decode(&flash.bytes[512..], &header()?, &mut back.parameters, &mut back.moments)?;
    back.steps = found.steps;
    assert_eq!(back.bits(), state.bits());
    Ok(())
}

/// One bit of the newest slot changes in the years: the other one counts.
#[test]
fn a_slot_that_rots_is_not_read() -> Outcome {
    let (mut slots, _) = boot(Nor::<4, 128>::new(pages::<4, 128>()?))?;
    let (mut old, mut new) = (State::factory().train(3)?, State::factory().train(5)?);
    slots.save(&old.model())?;
    slots.save(&new.model())?;
    let good = slots.release();
    let size = Slots::<Nor<4, 128>>::slot_bytes(&header()?);
    for bit in 0..8 * header()?.bytes() {
        let mut rotten = good.clone();
        rotten.bytes[128 + size + bit / 8] ^= 1 << (bit % 8);
        let (slots, found) = boot(rotten)?;
        assert_eq!(found.bits(), old.bits(), "bit {bit}");
        assert!(matches!(slots.found(), [Ok(_), Err(Error::Checkpoint { .. })]));
    }
    Ok(())
}

/// A memory that another hand holds too.
#[derive(Clone, Debug)]
struct Shared(Rc<RefCell<Nor<4, 128>>>);

impl ErrorType for Shared {
    type Error = NorError;
}
impl ReadNorFlash for Shared {
    const READ_SIZE: usize = 4;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        self.0.borrow_mut().read(offset, bytes)
    }
    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}
impl NorFlash for Shared {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 128;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.0.borrow_mut().erase(from, to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        self.0.borrow_mut().write(offset, bytes)
    }
}

/// What changes between a look at the slots and their use is refused: a bit, or a whole slot with a checksum of its own.
#[test]
fn a_slot_that_changed_since_it_was_looked_at_is_not_taken() -> Outcome {
    let (mut slots, _) = boot(Nor::<4, 128>::new(pages::<4, 128>()?))?;
    let mut saved = State::factory().train(3)?;
    slots.save(&saved.model())?;
    let flash = Shared(Rc::new(RefCell::new(slots.release())));
    let mut slots = Slots::open(flash.clone(), 128, header()?)?;
    let mut load = |what: Option<&'static str>| {
        let mut found = State::factory();
        let loaded = slots.load(found.model());
        match what {
            Some(what) => {
                assert_eq!(loaded, Err(FlashError::Core(Error::Checkpoint { what })));
                assert_eq!(found.steps, 0);
            }
            None => assert_eq!((loaded.map(|header| header.is_some()), found.bits()), (Ok(true), saved.bits())),
        }
    };
    load(None);
    for (byte, what) in [
        (HEADER + 5, "its checksum does not match its bytes"),
        (25, "its checksum does not match its bytes"),
        (9, "it has another shape"),
        (0, "it does not begin with SIML"),
    ] {
        flash.0.borrow_mut().bytes[128 + byte] ^= 4;
        load(Some(what));
        flash.0.borrow_mut().bytes[128 + byte] ^= 4;
        load(None);
    }
    // Whole, and of this network, but not what was found.
    for other in [Header { sequence: 9, steps: 3, ..header()? }, Header { sequence: 1, steps: 4, ..header()? }] {
        let mut bytes = vec![0xff; other.bytes()];
        encode(&other, &saved.parameters, &saved.moments, &mut bytes)?;
        flash.0.borrow_mut().bytes[128..128 + bytes.len()].copy_from_slice(&bytes);
        load(Some("it has changed since it was looked at"));
    }
    Ok(())
}

/// A memory that does not keep a bit.
#[derive(Debug)]
struct Worn(Nor<4, 128>, usize);

impl ErrorType for Worn {
    type Error = NorError;
}
impl ReadNorFlash for Worn {
    const READ_SIZE: usize = 4;
    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        self.0.read(offset, bytes)
    }
    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
impl NorFlash for Worn {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 128;
    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.0.erase(from, to)
    }
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        self.0.write(offset, bytes)?;
        self.0.bytes[self.1] &= 0xfe;
        Ok(())
    }
}

#[test]
fn a_worn_memory_is_noticed_and_what_was_saved_still_counts() -> Outcome {
    let (mut slots, _) = boot(Nor::<4, 128>::new(pages::<4, 128>()?))?;
    let mut old = State::factory().train(3)?;
    slots.save(&old.model())?;
    let size = Slots::<Nor<4, 128>>::slot_bytes(&header()?);
    // A byte of the second slot's numbers whose lowest bit is 1.
    let mut new = State::factory().train(5)?;
    new.parameters[0] = f32::from_bits(new.parameters[0].to_bits() | 1);
    let mut slots = Slots::open(Worn(slots.release(), 128 + size + HEADER), 128, header()?)?;
    let what = "the flash memory does not keep what was written";
    for _ in 0..2 {
        assert_eq!(slots.save(&new.model()), Err(FlashError::Core(Error::Checkpoint { what })));
        let mut found = State::factory();
        assert_eq!(slots.load(found.model())?.map(|header| header.steps), Some(3));
        assert_eq!(found.bits(), old.bits());
    }
    Ok(())
}

#[test]
fn slots_refuse_what_does_not_fit() -> Outcome {
    let all = pages::<4, 128>()?;
    let flash = |pages| Nor::<4, 128>::new(pages);
    let core = |result: Result2<Slots<Nor<4, 128>>>| match result {
        Err(FlashError::Core(error)) => Some(error),
        _ => None,
    };
    let header = header()?;
    let place = Error::Setting { what: "first offset of the slots, the first of a page" };
    assert_eq!(core(Slots::open(flash(all), 4, header)), Some(place));
    let expected = all * 128;
    let short = Error::Length { what: "the bytes of the flash memory", expected, found: expected - 128 };
    assert_eq!(core(Slots::open(flash(all - 1), 128, header)), Some(short));
    assert!(Slots::open(flash(all), 128, header).is_ok());
    let words = Slots::open(Nor::<64, 128>::new(all), 128, header).err().map(|error| error.to_string());
    let expected = "setting out of its domain: words of the flash memory, a divisor of 32 bytes";
    assert_eq!(words.as_deref(), Some(expected));

    // Memory of another size, before anything is erased.
    let mut slots = Slots::open(flash(all), 128, header)?;
    let (mut w, mut m, mut steps) = ([0.0f32; PARAMETERS - 1], [0.0f32; 2 * PARAMETERS], 0);
    let model = Model { parameters: &mut w, moments: &mut m, steps: &mut steps };
    assert!(matches!(slots.save(&model), Err(FlashError::Core(Error::Length { .. }))));
    assert!(matches!(slots.load(model), Err(FlashError::Core(Error::Length { .. }))));
    assert_eq!(slots.release().operations, 0);

    // Slots of another network are named, not read.
    let (mut slots, mut state) = boot(flash(all + 20))?;
    slots.save(&state.model())?;
    let other = Header::new(&Dense::new(FEATURES + 1, CLASSES).dense_shape(), 2)?;
    let slots = Slots::open(slots.release(), 128, other)?;
    assert_eq!(slots.found()[0], Err(Error::Checkpoint { what: "it has another shape" }));
    let message = FlashError::<NorError>::Core(Error::Checkpoint { what: "it has another shape" }).to_string();
    assert_eq!(message, "the checkpoint does not fit: it has another shape");

    // The driver's own error, and the slot whose save it ended.
    let mut slots = Slots::open(Nor { cut: Some((1, Left::Nothing)), ..flash(all) }, 128, header)?;
    let message = slots.save(&state.model()).err().map(|error| error.to_string());
    assert_eq!(message.as_deref(), Some("the flash memory's driver failed: PowerCut"));
    assert!(slots.found().contains(&Err(Error::Checkpoint { what: "it was not read" })));
    Ok(())
}
