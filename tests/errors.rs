//! Conditions that no other test meets: what each of them says. (Tables and similarities are in `cli.rs`, images in
//! `cli_images.rs`, runs in `resume.rs` and `faults.rs`, the core in `inputs.rs`.)

use crate::place::{Outcome, Place};
use simloss_core::{Label, loss::CrossEntropy};
use simloss_train::{
    Error,
    compute::{lanes::InstructionSet, network::Kind},
    data::{
        Dataset, Split,
        images::{Contents, ImageSet, Images, Part},
        read::images::{cifar, resize::Resize},
    },
    input,
    model::{LIMIT, Model, firmware::Head},
    run::{
        record::{Selection, Settings},
        train::{Objective, run},
    },
    similarity::{
        spec::LossDescription,
        vectors::{self, cosines},
    },
};
use std::{fmt::Debug, fs, io::Write};

/// Refused, with these words.
#[track_caller]
fn says<T: Debug>(result: Result<T, Error>, expected: &str) {
    match result {
        Ok(found) => panic!("accepted as {found:?}, in place of: {expected}"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}\nin place of: {expected}"),
    }
}

fn settings() -> Settings {
    Settings {
        epochs: 1,
        batch: 8,
        rate: 0.01,
        patience: None,
        seed: 1,
        hidden: vec![2],
        augmentation: None,
        selection: Selection::Accuracy,
        threads: 1,
    }
}

#[test]
fn settings_outside_their_domain() {
    for (wrong, expected) in [
        (Settings { epochs: 0, ..settings() }, "--epochs must be at least 1, not 0"),
        (Settings { batch: 0, ..settings() }, "--batch-size must be at least 1, not 0"),
        (Settings { rate: 0.0, ..settings() }, "--learning-rate must be a finite number above 0, not 0"),
        (Settings { rate: f32::INFINITY, ..settings() }, "--learning-rate must be a finite number above 0, not inf"),
        (Settings { patience: Some(0), ..settings() }, "--patience must be at least 1, not 0"),
        (
            Settings { augmentation: Some(0), ..settings() },
            "--augmentation must be a padding of at least 1, or none, not 0",
        ),
        (Settings { threads: 0, ..settings() }, "--threads must be at least 1, not 0"),
    ] {
        says(wrong.check(), expected);
    }
    says(InstructionSet::named("mmx"), "SIMLOSS_SIMD=mmx: there is no such instruction set; use one of ");
}

#[test]
fn data_that_cannot_be_trained_with() -> Outcome {
    let labels = || (0..20).map(|i| Label::new(i % 2, 2)).collect::<Result<Vec<_>, _>>();
    let names = || ["low", "high"].map(str::to_owned).to_vec();
    let data =
        |features: Vec<f32>, values: &[f64]| Dataset::new("d.csv", features, 1, labels()?, names(), values.to_vec());
    let good: Vec<f32> = (0..20).map(|i| i as f32).collect();
    says(data(vec![1.0], &[0.0, 1.0]), "d.csv: 20 samples of 1 features are not 1 numbers");
    says(data(good.clone(), &[0.0]), "d.csv: there are 1 class values for 2 class names");
    says(data(good.clone(), &[0.0, f64::NAN]), "d.csv: the value of class high is not a finite number");
    says(
        Dataset::new("d.csv", vec![], 1, vec![], names(), vec![0.0; 2]),
        "d.csv: there must be at least one sample and one feature",
    );
    let mut bad = good.clone();
    bad[3] = f32::NAN;
    says(data(bad, &[0.0, 1.0]), "d.csv: feature 1 of sample 4 is NaN; remove the sample or fill in a number");

    let data = data(good, &[0.0, 1.0])?;
    let plain = LossDescription::cross_entropy();
    for part in ["train", "validation", "test"] {
        let mut split = Split::stratified(&data, 1)?;
        match part {
            "train" => split.train.clear(),
            "validation" => split.validation.clear(),
            _ => split.test.clear(),
        }
        let result = run(&settings(), Objective::new(CrossEntropy::new(2)?, &plain), &data, &split, None, &mut ());
        says(result, &format!("d.csv: the {part} part of its split is empty"));
    }
    Ok(())
}

#[test]
fn sets_of_images_that_do_not_fit_together() -> Outcome {
    let contents = || -> Result<Contents, Error> {
        Ok(Contents {
            name: "images".to_owned(),
            height: 2,
            width: 2,
            pixels: vec![0; 4 * 12],
            labels: (0..4).map(|i| Label::new(i % 2, 2)).collect::<Result<_, _>>()?,
            class_names: ["a", "b"].map(str::to_owned).to_vec(),
            class_values: vec![0.0, 1.0],
            paths: vec![String::new(); 4],
            parts: vec![Part::Any; 4],
            tree: None,
        })
    };
    type Change = fn(&mut Contents);
    for (change, expected) in [
        ((|c| c.labels.clear()) as Change, "images: there are 0 images of 2 x 2 pixels"),
        (|c| c.height = 0, "images: there are 4 images of 2 x 0 pixels"),
        (|c| c.pixels.truncate(47), "images: 4 images of 2 x 2 pixels are not 47 bytes"),
        (|c| c.width = usize::MAX, "pixels are not 48 bytes"),
        (
            |c| c.class_values.truncate(1),
            "images: there must be one value for each class, and one path and part for each image",
        ),
        (
            |c| c.paths.truncate(1),
            "images: there must be one value for each class, and one path and part for each image",
        ),
        (|c| c.class_values[1] = f64::INFINITY, "images: the value of class b is not a finite number"),
    ] {
        let mut changed = contents()?;
        change(&mut changed);
        says(ImageSet::new(changed), expected);
    }
    let set = ImageSet::new(contents()?)?;
    says(set.clone().keep_classes(&[0, 0]), "images: class 0 is given twice, or does not exist");
    says(set.clone().keep_classes(&[0, 2]), "images: class 2 is given twice, or does not exist");
    says(Images::new(&set, &[4], None), "the images of the set: 5 needed, 4 given");
    let mut resize = Resize::default();
    says(resize.planes(vec![0; 11], [2, 2], &mut [0; 3], [1, 1]), "the pixels of an image: 12 needed, 11 given");
    says(resize.planes(vec![0; 12], [2, 2], &mut [0; 2], [1, 1]), "the pixels of a resized image: 3 needed, 2 given");
    Ok(())
}

#[test]
fn archives_that_are_not_as_published() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.tar");
    let names = |n: usize| (0..n).map(|i| format!("n{i}\n")).collect::<String>().into_bytes();
    let archive = |link: bool, twice: bool| -> Outcome {
        let mut tar = tar::Builder::new(fs::File::create(&path)?);
        let mut add = |name: &str, bytes: &[u8], kind| {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_entry_type(kind);
            header.set_cksum();
            tar.append_data(&mut header, name, bytes)
        };
        add("fine_label_names.txt", &names(100), tar::EntryType::Regular)?;
        if twice {
            add("again/fine_label_names.txt", &names(100), tar::EntryType::Regular)?;
        }
        let kind = if link { tar::EntryType::Fifo } else { tar::EntryType::Regular };
        add("coarse_label_names.txt", if link { b"" } else { b"a\nb\n" }, kind)?;
        Ok(())
    };
    let advice = "; get it again, or unpack it and give the folder";
    archive(true, false)?;
    says(
        cifar::read(&path),
        &format!("the archive cannot be used (its entry coarse_label_names.txt is not a file){advice}"),
    );
    archive(false, true)?;
    says(cifar::read(&path), &format!("the archive cannot be used (it holds fine_label_names.txt twice){advice}"));
    archive(false, false)?;
    says(cifar::read(&path), "train.bin is missing; unpack the whole archive, or give the archive itself");
    for (name, bytes) in
        [("train.bin", vec![0; 3074]), ("test.bin", vec![0; 3074]), ("coarse_label_names.txt", names(20))]
    {
        fs::write(folder.path().join(name), bytes)?;
    }
    fs::write(folder.path().join("fine_label_names.txt"), b"a\n\xff\n")?;
    says(cifar::read(folder.path()), "fine_label_names.txt: the file is no text in UTF-8; get it again");
    Ok(())
}

#[test]
fn files_that_are_too_large_are_not_read() -> Outcome {
    let place = Place::new()?;
    // All holes.
    fs::File::create(place.path("large.csv"))?.set_len(input::MOST_BYTES + 1)?;
    place.refuses(
        "train table large.csv --label y --out o",
        "large.csv: the file is larger than 1 GiB; give a part of it",
    )?;
    let expected =
        format!("large.csv is not a model that this version can use: it is larger than {LIMIT} bytes; give another");
    says(Model::load(&place.path("large.csv")), &expected);
    fs::File::create(place.path("large.npy"))?.set_len(1 << 40)?;
    place.refuses("similarity --similarity large.npy", "large.npy: the file is larger than 1 GiB")
}

#[test]
fn word_vectors_that_cannot_be_used() -> Outcome {
    let place = Place::new()?;
    let path = place.path("v.txt");
    let formats = "; give word2vec text, word2vec binary (.bin, not compressed) or GloVe text";
    for (text, expected) in [
        ("\n".to_owned(), format!("v.txt: the first line is empty or no text{formats}")),
        (
            "1 5000\na 1\n".to_owned(),
            format!("v.txt: the first line makes 5000 numbers a word, outside 1 to 4096{formats}"),
        ),
        (
            format!("a 1 2\n{} 1 2\n", "b".repeat(1 << 17)),
            format!("v.txt, line 2: the line is longer than 131072 bytes{formats}"),
        ),
        (
            (0..4097).map(|i| format!("w{i} 1 2\n")).collect(),
            "v.txt, line 4097: the file holds more than 4096 words; name the classes that are wanted".to_owned(),
        ),
        (
            "a 0 0\n".to_owned(),
            "v.txt, line 1: \"a\" has numbers that are not finite, or all 0; give another file".to_owned(),
        ),
    ] {
        fs::write(&path, text)?;
        says(vectors::read_all(&path), &expected);
    }
    says(cosines(&[vec![1.0], vec![1.0, 2.0]]), "a word vector: 1 needed, 2 given");
    says(cosines(&[vec![1.0], vec![0.0]]), "the direction of a word vector of sample 1 hold NaN or infinity");
    Ok(())
}

#[test]
fn similarities_that_do_not_fit() -> Outcome {
    let place = Place::new()?;
    place.file("s.csv", "true,a,b\na,1,0\nc,0,1\n")?;
    place.refuses(
        "similarity --similarity s.csv",
        "s.csv: rows and columns have different names: only a row: \"c\"; only a column: \"b\"; give both the same",
    )?;
    let mut npy = b"\x93NUMPY\x01\0v\0".to_vec();
    writeln!(npy, "{:117}", "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 2), }")?;
    npy.extend([0; 32]);
    place.file("s.npy", npy)?;
    place.refuses(
        "similarity --similarity s.npy",
        "s.npy: its numbers are <c8; save it with numpy.save, as a square matrix of numbers, such as float32",
    )
}

#[test]
fn heads_of_other_shapes() -> Outcome {
    let network = Kind::Table { inputs: 2, hidden: vec![3], classes: 2 };
    let head = |hidden| Head::of(&Kind::Table { inputs: 2, hidden: vec![hidden], classes: 2 }, 1);
    let slot = head(4)?.blob(&[0.5; 22])?;
    let mut parameters = [0.25; 17];
    let path = std::path::Path::new("slot.bin");
    let advice = "; give the bytes of one slot as the device holds them, and the model that its head was exported from";
    for (slot, expected) in [
        (
            &slot[..],
            "it has another shape: 4 features, 2 classes, 10 parameters, not 3 features, 2 classes, 8 parameters",
        ),
        (&slot[..slot.len() - 1], "it is 103 bytes long and should be 104"),
        (&slot[..30], "the checkpoint does not fit: it is shorter than a header"),
        (&[0; 104], "the checkpoint does not fit: it does not begin with SIML"),
    ] {
        let whole = Head::of(&network, 1)?.put(path, slot, &mut parameters);
        says(whole, &format!("slot.bin is not a slot of this head that this version can use: {expected}"));
        says(Head::of(&network, 1)?.put(path, slot, &mut parameters), advice);
    }
    assert_eq!(parameters, [0.25; 17]);
    Ok(())
}

#[test]
fn tables_and_commands() -> Outcome {
    let place = Place::new()?;
    let rows: String = (0..20).map(|i| format!("{i},{}\n", ["low", "high"][i % 2])).collect();
    place.file("t.csv", format!("x,y\n{rows}"))?;
    let train = "train table t.csv --label y --out o";
    for (line, expected) in [
        (format!("{train} --order low,high,low"), "--order holds \"low\" twice; name each class once"),
        (
            format!("{train} --order low,middle"),
            "t.csv, line 3, column \"y\": the class \"high\" is not among those of --order: ",
        ),
        (format!("{train} --ignore y"), "the column \"y\" is the label and cannot be ignored; take it out of --ignore"),
    ] {
        place.refuses(&line, expected)?;
    }
    place.file("empty.csv", format!("x,y\n,low\n{rows}"))?;
    place.refuses(
        "train table empty.csv --label y --order low,high --out o",
        "empty.csv, line 2, column \"x\": the field is empty; fill it in, or remove the row or the column",
    )?;

    let sweep =
        "sweep table t.csv --label y --order low,high -r 0.5 --baselines none --runs 1 --epochs 1 --hidden 2 --out o";
    place.simloss(sweep).success();
    let model = "o/runs/cross-entropy/seed-1/model.safetensors";
    place.refuses(
        &format!("export --checkpoint {model} --out x -r 0.5"),
        "a similarity has no effect without --head: it is the device's",
    )?;
    // A manifest that another hand wrote.
    let manifest: serde_json::Value = serde_json::from_str(&place.read("o/comparison.json")?)?;
    let refuses = |key: &str, value: serde_json::Value, expected: &str| -> Outcome {
        let mut changed = manifest.clone();
        changed[key] = value;
        place.file("o/comparison.json", changed.to_string())?;
        let unusable = "comparison.json is not a comparison that this version can use: ";
        place.refuses("report o", &format!("{unusable}{expected}"))?;
        place.refuses("report o", "; give the command that made it again, after the folder")
    };
    refuses("losses", serde_json::json!([]), "its first loss is not cross entropy")?;
    refuses("seeds", serde_json::json!("two"), "invalid type: string \"two\", expected usize")?;
    refuses("seeds", serde_json::json!(1u64 << 60), "it has 1152921504606846976 seeds, more than 100000")?;
    let mut facts = manifest["facts"].clone();
    facts["class_names"] = serde_json::json!(["low", "middle"]);
    refuses("facts", facts, "its classes are not those of its runs")?;
    let mut facts = manifest["facts"].clone();
    facts["class_names"] = serde_json::json!(["low"]);
    refuses("facts", facts, "it has 1 names, 2 values and samples of 2 classes")?;
    let mut changed = manifest.clone();
    changed["data"] = "another".into();
    place.file("o/comparison.json", changed.to_string())?;
    place.refuses("report o", "holds a run with another data")?;
    Ok(())
}

#[test]
fn folders_too_deep_and_images_damaged_together() -> Outcome {
    let place = Place::new()?;
    let deep = format!("images/{}", "d/".repeat(18));
    fs::create_dir_all(place.path(&deep))?;
    let line = "train folder images --out o --cache none";
    place.refuses(line, "folders are more than 16 deep; give one further down")?;
    fs::remove_dir_all(place.path("images"))?;
    for name in ["images/a/1.png", "images/b/2.png", "images/b/3.png"] {
        fs::create_dir_all(place.path(name).parent().ok_or("no folder")?)?;
        place.file(name, b"\x89PNG cut short")?;
    }
    place.refuses(line, "images: 3 images cannot be used: a/1.png (the image cannot be decoded (")?;
    place.refuses(line, "; replace or remove them, or leave them out with --skip-bad")
}
