//! A run that was stopped, killed or made longer ends with the same files as one that ran through.

use simloss_core::{
    Label, Random,
    loss::{CrossEntropy, SimLoss},
    similarity::OrderTable,
};
use simloss_train::{
    Error,
    compute::{network::Kind, task::Data},
    data::{
        Dataset, Split,
        images::{Contents, ImageSet, Part},
    },
    model::Model,
    run::{
        record::{Ended, Epoch, Record, Selection, Settings},
        train::{Objective, OutDir, Watch, run},
    },
    similarity::spec::LossDescription,
};
use std::{error::Error as StdError, fs, path::Path};

type Outcome = Result<(), Box<dyn StdError>>;

const FILES: [&str; 3] = ["record.json", "model.safetensors", "state.safetensors"];

fn data(name: &str, shift: f32) -> Result<Dataset, Error> {
    let mut random = Random::new(5);
    let (mut features, mut labels) = (vec![], vec![]);
    for _ in 0..240 {
        let y = random.below(4);
        labels.push(Label::new(y, 4)?);
        features.extend((0..3).map(|k| y as f32 * (k as f32 - 1.0) + 3.0 * random.unit::<f32>() + shift));
    }
    let names = ["none", "some", "more", "most"].map(str::to_owned).to_vec();
    Dataset::new(name, features, 3, labels, names, vec![0.0, 1.0, 3.0, 9.0])
}

fn settings(epochs: usize) -> Settings {
    Settings {
        epochs,
        batch: 25, // 144 training samples: the last batch is smaller
        rate: 0.02,
        patience: None,
        seed: 11,
        hidden: vec![6],
        augmentation: None,
        selection: Selection::Mae,
        threads: 1,
    }
}

fn order() -> LossDescription {
    LossDescription {
        similarity: "order".to_owned(),
        reduction_factor: Some(0.7),
        fingerprint: Some("0123".to_owned()),
        ..LossDescription::cross_entropy()
    }
}

/// A run with SimLoss on the data above.
fn train(settings: &Settings, dir: &Path, resume: bool, watch: &mut dyn Watch) -> Result<Record, Error> {
    let data = data("drawn", 0.0)?;
    let split = Split::stratified(&data, 2)?;
    let loss = SimLoss::new(OrderTable::in_memory([0.0f32; 8], 4, 0.7)?);
    run(settings, Objective::new(loss, &order()), &data, &split, Some(&OutDir { dir: dir.to_owned(), resume }), watch)
}

fn contents(dir: &Path) -> Result<Vec<Vec<u8>>, std::io::Error> {
    FILES.iter().map(|name| fs::read(dir.join(name))).collect()
}

/// Samples of every batch.
#[derive(Default)]
struct Sizes(Vec<usize>);

impl Watch for Sizes {
    fn batch_done(&mut self, _: usize, samples: usize, _: f32) {
        self.0.push(samples);
    }
}

#[test]
fn a_smaller_last_batch_is_trained_on() -> Outcome {
    let (folder, mut sizes) = (tempfile::tempdir()?, Sizes::default());
    train(&settings(2), folder.path(), false, &mut sizes)?;
    assert_eq!(sizes.0, [25, 25, 25, 25, 25, 19, 25, 25, 25, 25, 25, 19]);
    Ok(())
}

/// Stops after so many batches.
struct After(usize);

impl Watch for After {
    fn should_stop(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

/// What a watcher sees.
#[derive(Default)]
struct Seen {
    started: Vec<(usize, usize, usize)>,
    samples: usize,
    done: Vec<(usize, bool)>,
}

impl Watch for Seen {
    fn epoch_started(&mut self, epoch: usize, epochs: usize, batches: usize) {
        self.started.push((epoch, epochs, batches));
    }
    fn batch_done(&mut self, _: usize, samples: usize, loss: f32) {
        assert!(loss > 0.0);
        self.samples += samples;
    }
    fn epoch_done(&mut self, epoch: &Epoch, best: bool) {
        self.done.push((epoch.epoch, best));
    }
}

#[test]
fn a_resumed_run_matches_an_uninterrupted_run() -> Outcome {
    let folder = tempfile::tempdir()?;
    let whole = folder.path().join("whole");
    let mut seen = Seen::default();
    let record = train(&settings(6), &whole, false, &mut seen)?;
    let expected = contents(&whole)?;
    assert_eq!(seen.started, (1..=6).map(|epoch| (epoch, 6, 6)).collect::<Vec<_>>());
    assert_eq!(seen.samples, 6 * 144);
    let result = record.result.as_ref().ok_or("no result")?;
    assert_eq!(seen.done.iter().rfind(|(_, best)| *best).map(|(epoch, _)| *epoch), Some(result.best_epoch));
    assert_eq!(Record::load(&whole.join("record.json"))?.epochs, record.epochs);

    // Fewer epochs first, then more.
    let longer = folder.path().join("longer");
    train(&settings(3), &longer, false, &mut ())?;
    assert_ne!(contents(&longer)?, expected);
    let three = folder.path().join("three");
    fs::create_dir(&three)?;
    for name in FILES {
        fs::copy(longer.join(name), three.join(name))?;
    }
    let mut seen = Seen::default();
    assert_eq!(train(&settings(6), &longer, true, &mut seen)?, Record { settings: settings(6), ..record.clone() });
    assert_eq!(seen.started.first(), Some(&(4, 6, 6)));
    assert!(contents(&longer)? == expected);

    // Stopped in the middle of an epoch, more than once.
    let stopped = folder.path().join("stopped");
    for batches in [15, 2, 9] {
        let result = train(&settings(6), &stopped, true, &mut After(batches));
        let message = result.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("interrupted") && message.contains("stopped; continue with --resume"), "{message}");
    }
    train(&settings(6), &stopped, true, &mut ())?;
    assert!(contents(&stopped)? == expected);

    // Killed between two files: the record and the model are ahead of the state.
    let killed = folder.path().join("killed");
    fs::create_dir(&killed)?;
    for (name, from) in [("record.json", &whole), ("model.safetensors", &whole), ("state.safetensors", &three)] {
        fs::copy(from.join(name), killed.join(name))?;
    }
    let mut unfinished = Record::load(&killed.join("record.json"))?;
    unfinished.result = None;
    unfinished.save(&killed.join("record.json"))?;
    train(&settings(6), &killed, true, &mut ())?;
    assert!(contents(&killed)? == expected);

    // Killed before the first state.
    fs::remove_file(killed.join("state.safetensors"))?;
    unfinished.save(&killed.join("record.json"))?;
    train(&settings(6), &killed, true, &mut ())?;
    assert!(contents(&killed)? == expected);
    Ok(())
}

#[test]
fn a_finished_run_is_not_trained_again() -> Outcome {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("run");
    let record = train(&settings(2), &dir, false, &mut ())?;
    let before = contents(&dir)?;
    let mut seen = Seen::default();
    assert_eq!(train(&settings(2), &dir, true, &mut seen)?.result, record.result);
    assert!(seen.started.is_empty());
    assert!(contents(&dir)? == before);

    let refused = train(&settings(2), &dir, false, &mut ()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(refused.contains("already holds a run; add --resume"), "{refused}");
    assert!(contents(&dir)? == before);
    Ok(())
}

#[test]
fn a_different_run_is_rejected() -> Outcome {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("run");
    train(&settings(3), &dir, false, &mut ())?;
    let before = contents(&dir)?;
    let refused =
        |settings: &Settings| train(settings, &dir, true, &mut ()).err().map(|e| e.to_string()).unwrap_or_default();
    for (other, word) in [
        (Settings { seed: 12, ..settings(3) }, "another --seed (11, not 12)"),
        (Settings { batch: 26, ..settings(3) }, "another --batch-size"),
        (Settings { rate: 0.03, ..settings(3) }, "another --learning-rate (0.02, not 0.03)"),
        (Settings { patience: Some(2), ..settings(3) }, "another --patience (none, not 2)"),
        (Settings { hidden: vec![7], ..settings(3) }, "another --hidden (6, not 7)"),
        (Settings { selection: Selection::Loss, ..settings(3) }, "another --selection (mae, not loss)"),
        (settings(2), "another number of epochs already (3, not at most 2)"),
    ] {
        let message = refused(&other);
        assert!(message.contains(word) && message.contains("record.json"), "{message}");
    }

    // Other data, another split, another loss.
    let out = OutDir { dir: dir.clone(), resume: true };
    let (same, other) = (data("drawn", 0.0)?, data("drawn", 0.5)?);
    let loss = || Ok::<_, Error>(SimLoss::new(OrderTable::in_memory([0.0f32; 8], 4, 0.7)?));
    let split = Split::stratified(&same, 2)?;
    let changed = LossDescription { fingerprint: Some("4567".to_owned()), ..order() };
    for (result, word) in [
        (run(&settings(3), Objective::new(loss()?, &order()), &other, &split, Some(&out), &mut ()), "another data"),
        (
            run(
                &settings(3),
                Objective::new(loss()?, &order()),
                &same,
                &Split::stratified(&same, 3)?,
                Some(&out),
                &mut (),
            ),
            "split",
        ),
        (
            run(&settings(3), Objective::new(loss()?, &changed), &same, &split, Some(&out), &mut ()),
            "another SHA-256 of the similarity (0123, not 4567)",
        ),
    ] {
        let message = result.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains(word), "{message}");
    }
    // The name of the data is for people: the same numbers from another file are the same data.
    let renamed = data("elsewhere", 0.0)?;
    assert!(run(&settings(3), Objective::new(loss()?, &order()), &renamed, &split, Some(&out), &mut ()).is_ok());
    assert!(contents(&dir)? == before);
    Ok(())
}

#[test]
fn damaged_files_are_rejected() -> Outcome {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("run");
    train(&settings(2), &dir, false, &mut ())?;
    let resumed = || train(&settings(3), &dir, true, &mut ()).err().map(|e| e.to_string()).unwrap_or_default();
    let state = dir.join("state.safetensors");
    let bytes = fs::read(&state)?;

    fs::write(&state, &bytes[..bytes.len() - 4])?;
    assert!(resumed().contains("is not a training state"), "{}", resumed());
    let mut poisoned = bytes.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    fs::write(&state, &poisoned)?;
    assert!(resumed().contains("of tensor parameters is inf"), "{}", resumed());

    // The state of another run.
    let other = folder.path().join("other");
    train(&Settings { seed: 12, ..settings(2) }, &other, false, &mut ())?;
    fs::copy(other.join("state.safetensors"), &state)?;
    assert!(resumed().contains("belongs to another run"), "{}", resumed());

    // A record that is behind the state, and one that is cut off.
    fs::write(&state, &bytes)?;
    let record = dir.join("record.json");
    let text = fs::read(&record)?;
    let mut behind = Record::load(&record)?;
    behind.epochs.truncate(1);
    behind.save(&record)?;
    assert!(resumed().contains("ahead of the record"), "{}", resumed());
    fs::write(&record, &text[..text.len() / 2])?;
    assert!(resumed().contains("is not a record"), "{}", resumed());
    Ok(())
}

#[test]
fn patience_stops_a_run_and_keeps_its_best_epoch() -> Outcome {
    let folder = tempfile::tempdir()?;
    let impatient = Settings { patience: Some(2), ..settings(200) };
    let (dir, pieces) = (folder.path().join("run"), folder.path().join("pieces"));
    let record = train(&impatient, &dir, false, &mut ())?;
    let result = record.result.ok_or("no result")?;
    assert_eq!(result.ended, Ended::Patience);
    assert_eq!(record.epochs.len(), result.best_epoch + 2);
    let mae = |epoch: &Epoch| epoch.validation.argmax.mae;
    let best = record.epochs.iter().filter_map(mae).fold(f64::INFINITY, f64::min);
    // The first of several that are as good.
    assert_eq!(record.epochs.iter().position(|epoch| mae(epoch) == Some(best)), Some(result.best_epoch - 1));

    train(&Settings { epochs: 2, ..impatient.clone() }, &pieces, false, &mut ())?;
    train(&impatient, &pieces, true, &mut ())?;
    assert!(contents(&pieces)? == contents(&dir)?);

    // The model is the best one, not the last, and so is what was tested: a run of that many epochs has the same.
    let short = folder.path().join("short");
    let stopped = train(&Settings { epochs: result.best_epoch, ..impatient }, &short, false, &mut ())?;
    assert_eq!(stopped.result.ok_or("no result")?.test, result.test, "not the same test");
    assert_eq!(Model::load(&short.join("model.safetensors"))?, Model::load(&dir.join("model.safetensors"))?);
    Ok(())
}

#[test]
fn every_epoch_shuffles_all_samples() -> Outcome {
    #[derive(Default)]
    struct Means(Vec<f32>);
    impl Watch for Means {
        fn batch_done(&mut self, _: usize, _: usize, loss: f32) {
            self.0.push(loss);
        }
    }
    let folder = tempfile::tempdir()?;
    let mut means = Means::default();
    // A rate too small to move any parameter: samples keep their losses, batches change.
    let record = train(&Settings { rate: 1e-30, ..settings(2) }, &folder.path().join("run"), false, &mut means)?;
    assert_eq!(record.epochs[0].train_loss, record.epochs[1].train_loss);
    assert_eq!(record.epochs[0].validation, record.epochs[1].validation);
    let (first, second) = means.0.split_at(6);
    assert!(first.iter().zip(second).all(|(a, b)| a != b), "{first:?} {second:?}");
    // Nothing was better than the first.
    assert_eq!(record.result.ok_or("no result")?.best_epoch, 1);
    Ok(())
}

#[test]
fn threads_change_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut files = vec![];
    for threads in [1, 3] {
        let dir = folder.path().join(threads.to_string());
        // Large enough for threads to share a batch: 144 samples, 9,532 parameters.
        let settings = Settings { threads, batch: 144, hidden: vec![72, 120], ..settings(2) };
        train(&settings, &dir, false, &mut ())?;
        files.push(contents(&dir)?);
    }
    assert!(files[0] == files[1]);
    Ok(())
}

#[test]
fn a_run_without_a_directory_writes_nothing() -> Outcome {
    let data = data("drawn", 0.0)?;
    let split = Split::stratified(&data, 2)?;
    let plain = LossDescription::cross_entropy();
    let train = |watch: &mut dyn Watch| {
        run(&settings(2), Objective::new(CrossEntropy::new(4)?, &plain), &data, &split, None, watch)
    };
    assert!(train(&mut ())?.result.is_some());
    let message = train(&mut After(3)).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("nothing was written"), "{message}");
    Ok(())
}

#[test]
fn impossible_settings_are_rejected_before_writing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("run");
    for (wrong, name) in [
        (Settings { epochs: 0, ..settings(1) }, "--epochs"),
        (Settings { batch: 0, ..settings(1) }, "--batch-size"),
        (Settings { rate: 0.0, ..settings(1) }, "--learning-rate"),
        (Settings { rate: f32::NAN, ..settings(1) }, "--learning-rate"),
        (Settings { patience: Some(0), ..settings(1) }, "--patience"),
        (Settings { threads: 0, ..settings(1) }, "--threads"),
        (Settings { hidden: vec![], ..settings(1) }, "--hidden"),
        (Settings { hidden: vec![4, 0], ..settings(1) }, "--hidden"),
        (Settings { hidden: vec![4, 4, 4], ..settings(1) }, "--hidden"),
    ] {
        let message = train(&wrong, &dir, false, &mut ()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains(name), "{message}");
        assert!(!dir.exists());
    }
    let data = data("drawn", 0.0)?;
    let mut split = Split::stratified(&data, 2)?;
    let out = OutDir { dir: dir.clone(), resume: false };
    // A loss of other classes.
    let result = run(&settings(1), Objective::new(CrossEntropy::new(5)?, &order()), &data, &split, Some(&out), &mut ());
    assert!(matches!(result, Err(Error::Core(_))));
    split.validation.clear();
    let result = run(&settings(1), Objective::new(CrossEntropy::new(4)?, &order()), &data, &split, Some(&out), &mut ());
    assert!(matches!(result, Err(Error::Data { .. })));
    assert!(!dir.exists());

    // A file in the place of the folder.
    fs::write(&dir, b"mine")?;
    let message = train(&settings(1), &dir, false, &mut ()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("cannot") && message.contains("run"), "{message}");
    assert_eq!(fs::read(&dir)?, b"mine");
    Ok(())
}

#[test]
fn a_numerical_failure_keeps_the_last_epoch() -> Outcome {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("run");
    let wild = Settings { rate: 1e37, ..settings(50) };
    let message = train(&wild, &dir, false, &mut ()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("training stopped in epoch") && message.contains("lower --learning-rate"), "{message}");
    assert!(Record::load(&dir.join("record.json"))?.result.is_none());
    Ok(())
}

/// Sixty pictures of three classes, each class with its own brightness.
fn pictures() -> Result<ImageSet, Error> {
    let (images, classes, size) = (60, 3, 12);
    let level = |i: usize| (80 * (i % classes)) as u8;
    ImageSet::new(Contents {
        name: "pictures".to_owned(),
        height: size,
        width: size,
        pixels: (0..images)
            .flat_map(|i| (0..3 * size * size).map(move |at| level(i) + ((at + i) % 50) as u8))
            .collect(),
        labels: (0..images).map(|i| Label::new(i % classes, classes)).collect::<Result<_, _>>()?,
        class_names: ["dark", "dim", "light"].map(str::to_owned).to_vec(),
        class_values: vec![1.0, 2.0, 4.0],
        paths: (0..images).map(|i| i.to_string()).collect(),
        parts: vec![Part::Any; images],
        tree: None,
    })
}

#[test]
fn image_runs_resume_like_table_runs() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (set, kind) = (pictures()?, Kind::Small { size: 12, classes: 3 });
    let split = set.split(4)?;
    let settings = Settings { hidden: vec![], augmentation: Some(2), batch: 10, ..settings(3) };
    let train = |settings: &Settings, name: &str, watch: &mut dyn Watch| {
        let out = OutDir { dir: folder.path().join(name), resume: true };
        let loss = SimLoss::new(OrderTable::in_memory([0.0f32; 6], 3, 0.7)?);
        run(settings, Objective::new(loss, &order()), Data::Images(&set, &kind), &split, Some(&out), watch)
    };
    train(&settings, "whole", &mut ())?;
    let whole = contents(&folder.path().join("whole"))?;
    train(&Settings { threads: 3, ..settings.clone() }, "threads", &mut ())?;
    assert!(contents(&folder.path().join("threads"))? == whole);
    // In the middle of the second epoch, then of the third.
    for batches in [7, 6] {
        let message = train(&settings, "stopped", &mut After(batches)).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains("interrupted"), "{message}");
    }
    train(&settings, "stopped", &mut ())?;
    assert!(contents(&folder.path().join("stopped"))? == whole);
    // Augmentation is part of what a run is.
    let other = Settings { augmentation: None, ..settings.clone() };
    let message = train(&other, "whole", &mut ()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("another --augmentation (2, not none)"), "{message}");
    train(&other, "plain", &mut ())?;
    assert!(contents(&folder.path().join("plain"))?[1] != whole[1]);
    // A network for other images.
    let wrong = Kind::Small { size: 16, classes: 3 };
    let loss = SimLoss::new(OrderTable::in_memory([0.0f32; 6], 3, 0.7)?);
    let refused = run(&settings, Objective::new(loss, &order()), Data::Images(&set, &wrong), &split, None, &mut ());
    let message = refused.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message.contains("pictures: images of 432 numbers in 3 classes do not fit a network for 768"), "{message}");
    Ok(())
}
