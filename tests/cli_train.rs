//! `simloss train` on images: what it learns from, what it writes, and what it refuses.

use crate::place::{Outcome, Place, contents};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use simloss_train::{
    compute::network::Kind,
    model::Model,
    report::json::Results,
    run::record::{Ended, Record, Selection},
    similarity::spec::LossKind,
};
use std::{error::Error, fs, path::Path};

/// A PNG whose left half is of one colour, and a few pixels of which differ with `i`.
fn png(side: u32, colour: u8, i: u32) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    let pixel = |at: u32| {
        let noise = (at * 37 + i * 91) % 61;
        if at % side < side / 2 { [colour, 255 - colour, noise as u8] } else { [noise as u8; 3] }
    };
    writer.write_image_data(&(0..side * side).flat_map(pixel).collect::<Vec<_>>())?;
    writer.finish()?;
    Ok(file)
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    Ok(fs::write(path, bytes)?)
}

/// `each` images of every class, a folder for each, below `root`.
fn folders(place: &Place, root: &str, classes: &[&str], each: u32) -> Outcome {
    for (class, name) in (0u32..).zip(classes) {
        for i in 0..each {
            write(&place.path(&format!("{root}/{name}/{i}.png")), &png(12, (60 * class) as u8, i)?)?;
        }
    }
    Ok(())
}

/// Ten faces of each age from 1 to 4, named as in UTKFace, and one that is too old.
fn faces(place: &Place) -> Outcome {
    for i in 0..40 {
        let age = i % 4 + 1;
        write(&place.path(&format!("faces/{age}_0_1_{i}.png")), &png(20, (50 * age) as u8, i)?)?;
    }
    write(&place.path("faces/99_0_1_2.png"), &png(20, 1, 1)?)
}

fn results(place: &Place, folder: &str) -> Result<Results, Box<dyn Error>> {
    Ok(serde_json::from_str(&place.read(&format!("{folder}/results.json"))?)?)
}

const AGE: &str = "train age faces --ages 1..4 -r 0,0.8 --batch 10 --epochs 3";

#[test]
fn ages_are_learned_with_every_loss() -> Outcome {
    let place = Place::new()?;
    faces(&place)?;
    place
        .simloss(&format!("{AGE} --threads 2"))
        .success()
        .stdout(contains("40 images of 60 x 60 pixels, 4 classes. 1 seed; each trains on 24 samples"))
        .stdout(contains("cross entropy: faces").and(contains("SimLoss r = 0.8")).and(contains("MAE, expected value")))
        .stdout(contains("Report:             out/age/report.html"))
        .stderr(contains("note: left out 1 images of ages above the range"));
    // r = 0 is cross entropy, and is not trained twice.
    let found = results(&place, "out/age")?;
    let losses: Vec<_> =
        found.runs.iter().map(|run| (run.loss.loss, run.loss.similarity.as_str(), run.loss.reduction_factor)).collect();
    let expected = [
        (LossKind::SimLoss, "none", None),
        (LossKind::SimLoss, "order", Some(0.8)),
        (LossKind::Proper, "order", Some(0.8)),
    ];
    assert_eq!(losses, expected);
    assert_eq!((found.network, found.data.samples), (Kind::Ages { classes: 4 }, [24, 8, 8]));
    assert_eq!((found.settings.selection, found.settings.patience), (Selection::Mae, Some(10)));
    assert_eq!((found.settings.augmentation, found.settings.rate), (None, 0.001));
    for run in &found.runs {
        assert!(run.test.expectation.mae.is_some() && run.test.median.mae.is_some(), "{run:?}");
        assert_eq!((run.ended, run.epochs), (Ended::Epochs, 3));
    }
    // Ages travel with the model and the record, and the record knows the pixels.
    let run = "out/age/runs/order-r0.8/seed-1";
    let model = Model::load(&place.path(&format!("{run}/model.safetensors")))?;
    assert_eq!((model.class_values, model.standardiser), (vec![1.0, 2.0, 3.0, 4.0], None));
    let record = Record::load(&place.path(&format!("{run}/record.json")))?;
    assert_eq!((&record.data, record.result.map(|r| r.test.confusion.len())), (&found.data, Some(4)));
    let report = place.read("out/age/report.html")?;
    assert!(report.contains("red, green and blue of 60 x 60 pixels") && report.contains("published for ages"));

    // The number of threads changes no byte, nor does an interruption, nor the cache.
    let whole = contents(&place.path("out/age/runs"))?;
    assert_eq!(whole.len(), 3 * 5);
    place.simloss(&format!("{AGE} --threads 1 --out one --cache none")).success();
    assert!(contents(&place.path("one/runs"))? == whole);
    place.simloss(&format!("{AGE} --epochs 1 --out two").replacen("--epochs 3 ", "", 1)).success();
    assert!(contents(&place.path("two/runs"))? != whole);
    place.simloss(&format!("{AGE} --out two --resume")).success();
    assert!(contents(&place.path("two/runs"))? == whole);
    // Finished runs are read, not trained; other images are other data.
    place.simloss(&format!("{AGE} --out two --resume")).success();
    assert!(contents(&place.path("two/runs"))? == whole);
    place.simloss(&format!("{AGE} --out two")).code(2).stderr(contains("already holds a run; add --resume"));
    write(&place.path("faces/3_0_1_2.png"), &png(20, 77, 3)?)?;
    place.simloss(&format!("{AGE} --out two --resume")).code(2).stderr(contains("a run with another data"));
    assert!(contents(&place.path("two/runs"))? == whole);

    // What was trained can be judged.
    let line = format!("eval age faces --ages 1..4 --checkpoint {run}/model.safetensors");
    place.simloss(&line).success().stdout(contains("loss (order, r = 0.8)"));
    Ok(())
}

/// A hundred classes in groups of five, as CIFAR-100 in its binary layout: 3 images each to train, 1 to test.
fn cifar(place: &Place) -> Outcome {
    let record = |class: u8, i: u8| {
        [class / 5, class].into_iter().chain((0..3072usize).map(move |at| class.wrapping_mul(2) ^ (at % 7) as u8 ^ i))
    };
    let records = |images: std::ops::Range<u8>| -> Vec<u8> {
        images.flat_map(|i| (0..100).flat_map(move |class| record(class, i))).collect()
    };
    let lines = |n: usize, letter: char| (0..n).map(|i| format!("{letter}{i:02}\n")).collect::<String>();
    write(&place.path("cifar/train.bin"), &records(0..3))?;
    write(&place.path("cifar/test.bin"), &records(3..4))?;
    write(&place.path("cifar/fine_label_names.txt"), lines(100, 'n').as_bytes())?;
    write(&place.path("cifar/coarse_label_names.txt"), lines(20, 'g').as_bytes())
}

#[test]
fn cifar_100_is_learned_with_its_superclasses() -> Outcome {
    let place = Place::new()?;
    cifar(&place)?;
    place
        .simloss("train cifar100 cifar --epochs 2 --batch 64 -r 0.5 --seed 3")
        .success()
        .stdout(contains("each trains on 270").and(contains("validates on 30, and tests on 100.")))
        .stdout(contains("Similarity: superclasses, S = r").and(contains("\nSA ")).and(contains("\nFSA ")));
    let found = results(&place, "out/cifar100")?;
    assert_eq!((found.network, found.settings.augmentation), (Kind::LeNet { classes: 100 }, Some(4)));
    assert_eq!((found.settings.selection, found.settings.batch), (Selection::Accuracy, 64));
    assert!(found.runs.iter().all(|run| run.superclass_accuracy.is_some() && run.seed == 3), "{:?}", found.runs);
    // Without augmentation other parameters come out; with a matrix, too, and superclasses are counted all the same.
    place
        .simloss("train cifar100 cifar --epochs 2 --batch 64 -r 0.5 --seed 3 --augmentation none --out plain")
        .success();
    let model = |folder: &str| fs::read(place.path(&format!("{folder}/runs/cross-entropy/seed-3/model.safetensors")));
    assert_ne!(model("plain")?, model("out/cifar100")?);
    assert_eq!(results(&place, "plain")?.settings.augmentation, None);
    let names: Vec<String> = (0..100).map(|i| format!("n{i:02}")).collect();
    let matrix = |names: &[String]| {
        let row = |y: usize| (0..names.len()).map(|c| if y == c { ",1" } else { ",0.25" }).collect::<String>();
        let rows = names.iter().enumerate().map(|(y, name)| format!("{name}{}\n", row(y)));
        format!("true,{}\n{}", names.join(","), rows.collect::<String>())
    };
    place.file("s.csv", matrix(&names))?;
    place
        .simloss("train cifar100 cifar --epochs 1 --batch 64 --similarity s.csv -l 0,0.1 --out matrix")
        .success()
        .stdout(contains("l = 0").and(contains("\nsimilarity ")).and(contains("\nFSA ")));

    // A matrix for other classes.
    place.file("s.csv", matrix(&names[..99]))?;
    let line = "train cifar100 cifar --similarity s.csv --unnamed error";
    place.refuses(line, "s.csv: the names do not fit the classes: missing: \"n99\"")?;
    place.file("s.csv", "1,0.5\n0.5,1\n")?;
    place.refuses(line, "s.csv: the matrix is for 2 classes, but there are 100")?;
    place.refuses("train cifar100 cifar --similarity order", "names without an order")?;
    place.refuses("train cifar100 cifar --similarity none -r 0.5", "-r, --reduction-factor has no effect")?;
    place.refuses("train cifar100 cifar --selection mae", "--selection mae needs classes in an order")?;
    place.refuses("train cifar100 nowhere", "cannot read nowhere")?;
    fs::write(place.path("cifar/train.bin"), [0; 5000])?;
    place.refuses("train cifar100 cifar", "cifar/train.bin: 5000 bytes are not a whole number of records of 3074 bytes")
}

const QUICK: &str = "--epochs 1 --batch 16 --cache none";

#[test]
fn folders_of_ones_own_are_learned() -> Outcome {
    let place = Place::new()?;
    // Groups of classes: a taxonomy.
    folders(&place, "animals", &["bird/owl", "bird/wren", "fish/carp", "fish/pike"], 10)?;
    place
        .simloss("train folder animals --size 12 --epochs 30 --batch 8 --rate 0.01 --cache none")
        .success()
        .stdout(contains("40 images of 12 x 12 pixels, 4 classes").and(contains("Similarity: superclasses")))
        .stdout(contains("out/animals/report.html"));
    let found = results(&place, "out/animals")?;
    assert_eq!((found.network, found.data.samples), (Kind::Small { size: 12, classes: 4 }, [24, 8, 8]));
    // Colours tell the classes apart, so it learns.
    assert!(found.runs[0].test.scores.argmax.accuracy > Some(0.6), "{:?}", found.runs[0].test.scores);
    assert!(found.runs[0].superclass_accuracy > Some(0.6));
    let line = "eval folder animals --checkpoint out/animals/runs/cross-entropy/seed-1/model.safetensors --json";
    place.simloss(line).success().stdout(contains("\"superclass_accuracy\""));

    // Numbers are sorted as numbers, and are values.
    folders(&place, "grades", &["10", "2", "1"], 10)?;
    place
        .simloss(&format!("train folder grades --network lenet --seeds 2 {QUICK}"))
        .success()
        .stdout(contains("images of 32 x 32 pixels, 3 classes. 2 seeds;").and(contains("MAE, expected value")));
    let found = results(&place, "out/grades")?;
    assert_eq!(
        (found.network, &found.data.class_names[..]),
        (Kind::LeNet { classes: 3 }, &["1", "2", "10"].map(str::to_owned)[..])
    );
    assert_eq!((found.data.class_values, found.runs.len()), (vec![1.0, 2.0, 10.0], 6));

    // Parts that have folders are kept; names alone have no similarity.
    for (part, each) in [("train", 6), ("val", 2), ("test", 3)] {
        folders(&place, &format!("parts/{part}"), &["cat", "dog"], each)?;
    }
    place
        .simloss(&format!("train folder parts --augmentation 3 {QUICK}"))
        .success()
        .stdout(contains("Similarity: none, only cross entropy."));
    let found = results(&place, "out/parts")?;
    assert_eq!((found.data.samples, found.settings.augmentation), ([12, 4, 6], Some(3)));
    assert_eq!(found.network, Kind::Small { size: 32, classes: 2 });
    Ok(())
}

#[test]
fn images_that_nothing_can_learn_from_are_refused() -> Outcome {
    let place = Place::new()?;
    let line = |rest: &str| format!("train folder {rest} --cache none");
    place.refuses(&line("nowhere"), "cannot read nowhere")?;
    place.refuses("train age nowhere --cache none", "cannot read nowhere")?;
    fs::create_dir(place.path("empty"))?;
    place.refuses(&line("empty"), "empty: the folder holds no PNG or JPEG images")?;
    folders(&place, "one", &["cat"], 5)?;
    place
        .refuses(&line("one"), "one: all images are of the class \"cat\"; give one folder of images for each of two")?;
    place.refuses(
        &line("one/cat"),
        "one/cat: all images are of one folder; give one folder of images for each of two",
    )?;
    folders(&place, "few", &["cat", "dog"], 1)?;
    place.refuses(&line("few"), "few: no image is left for ")?;
    folders(&place, "good", &["cat", "dog"], 5)?;
    place.refuses("train age good --cache none", "holds no images of ages in the range")?;
    place.refuses("train age good --ages 90..1", "the ages must be two whole numbers from 0 to 150")?;
    for (options, message) in [
        ("--size 9", "the size of images must be a whole number from 10 to 512"),
        ("--network lenet --size 60", "this network takes images of 32 x 32 pixels; leave out --size"),
        ("--network age --size 32", "this network takes images of 60 x 60 pixels; leave out --size"),
        (
            "--size 12 --augmentation 12",
            "--augmentation must be a padding below the size of the images, or none, not 12",
        ),
        ("--augmentation 0", "the padding must be a whole number from 1 to 64, or none"),
        ("--similarity superclass -r 0.5", "--similarity superclass needs --superclasses FILE"),
        ("--similarity order", "the classes of good are names without an order"),
        ("--similarity none -l 0.5", "-l, --lower-bound has no effect"),
        ("--selection mae", "--selection mae needs classes in an order"),
        ("--epochs 0", "the number of epochs must be a whole number from 1"),
        ("--hidden 8", "unexpected argument '--hidden'"),
    ] {
        place.refuses(&line(&format!("good {options}")), message)?;
    }
    fs::create_dir(place.path("good/emu"))?;
    place.refuses(&line("good"), "good: class \"emu\" has no images; add some, or remove its folder")?;
    write(&place.path("good/emu/1.png"), b"")?;
    place.refuses(&line("good"), "1.png: ")
}
