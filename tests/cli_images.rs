//! The binary `simloss` on images, and with models and similarities from elsewhere: what it says and what it refuses.

use crate::place::{Outcome, Place, files};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use simloss_train::{compute::network::Kind, model::checkpoint};
use std::{error::Error, fmt::Write as _, fs, io::Write as _, path::Path};

/// A PNG of one colour.
fn png(side: u32, colour: [u8; 3]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Rgb);
    let pixels = (side * side) as usize;
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&colour.repeat(pixels))?;
    writer.finish()?;
    Ok(file)
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    Ok(fs::write(path, bytes)?)
}

/// Faces of these ages, named as in UTKFace, in the folder `faces`.
fn faces(place: &Place, ages: &[u8]) -> Outcome {
    ages.iter()
        .try_for_each(|age| write(&place.path(&format!("faces/{age}_0_1_2017.png")), &png(6, [2 * age, 100, 200])?))
}

/// A network whose weights are all 0: the biases of its last layer are its logits, whatever it sees.
fn constant(place: &Place, name: &str, kind: &Kind, logits: &[f32]) -> Outcome {
    let count = kind.tensors().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum::<usize>();
    let mut parameters = vec![0.0; count - logits.len()];
    parameters.extend(logits);
    Ok(checkpoint::write(&place.path(name), kind, &parameters)?)
}

/// A network for ages with the most probable class in the middle of five.
fn five_ages(place: &Place) -> Outcome {
    constant(place, "net.safetensors", &Kind::Ages { classes: 5 }, &[0.0, 0.0, 2.0, 0.0, 1.0])
}

fn json(place: &Place, line: &str) -> Result<(String, serde_json::Value), Box<dyn Error>> {
    let output = place.simloss(line).success().get_output().stdout.clone();
    let text = String::from_utf8(output)?;
    let value = serde_json::from_str(&text)?;
    Ok((text, value))
}

#[track_caller]
fn close(value: &serde_json::Value, expected: f64) {
    let found = value.as_f64().unwrap_or(f64::NAN);
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

const AGE: &str = "eval age faces --checkpoint net.safetensors --ages 1..5";

#[test]
fn ages_are_judged_by_every_measure() -> Outcome {
    let place = Place::new()?;
    faces(&place, &[1, 3, 4, 5])?;
    // Others of the same ages, one with a name that lacks a field, and one that is too old.
    write(&place.path("faces/more/4_1_2017.png"), &png(6, [9; 3])?)?;
    write(&place.path("faces/more/5_1_0_2017.png"), &png(6, [8; 3])?)?;
    faces(&place, &[90])?;
    five_ages(&place)?;
    let (text, value) = json(&place, &format!("{AGE} -r 0.5 --json --predictions p.csv"))?;
    assert!(text.starts_with("{\"images\":6,\"accuracy\":") && text.lines().count() == 1, "{text}");
    let order = ["accuracy", "mae", "mse", "mae_expectation", "loss", "scores", "data", "fingerprint", "network"];
    let places: Vec<_> = order.iter().map(|key| text.find(&format!("\"{key}\":"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");

    // The same numbers by hand: probabilities, then means over the ages 1, 3, 4, 4, 5, 5 with 3 as the answer.
    let e = std::f64::consts::E;
    let z = 3.0 + e * e + e;
    let p = [1.0 / z, 1.0 / z, e * e / z, 1.0 / z, e / z];
    let mean: f64 = (1..).zip(p).map(|(age, p)| f64::from(age) * p).sum();
    let ages = [1, 3, 4, 4, 5, 5];
    let over = |f: &dyn Fn(i32) -> f64| ages.iter().map(|&age| f(age)).sum::<f64>() / 6.0;
    close(&value["accuracy"], 1.0 / 6.0);
    close(&value["mae"], 8.0 / 6.0);
    close(&value["mse"], 14.0 / 6.0);
    close(&value["mae_expectation"], over(&|age| (f64::from(age) - mean).abs()));
    let loss = |age: i32| -(1..).zip(p).map(|(c, p)| 0.5f64.powi((age - c).abs()) * p).sum::<f64>().ln();
    close(&value["loss"], over(&loss));
    close(&value["scores"]["scores"]["likelihood"], over(&|age| -p[age as usize - 1].ln()));
    assert_eq!(value["similarity"]["reduction_factor"], 0.5);

    let predictions = place.read("p.csv")?;
    let rows: Vec<&str> = predictions.lines().collect();
    assert_eq!((rows.len(), rows[0]), (7, "path,label,argmax,expectation,p(1),p(2),p(3),p(4),p(5)"));
    assert!(rows[1].starts_with("1_0_1_2017.png,1,3,3."), "{predictions}");
    assert!(predictions.contains("\nmore/4_1_2017.png,4,3,3."), "{predictions}");

    place
        .simloss(&format!("{AGE} -r 0.5"))
        .success()
        .stdout(contains("faces: 6 images, 5 classes").and(contains("most probable class")))
        .stdout(contains("16.67 %").and(contains("1.3333")).and(contains("loss (order, r = 0.5)")))
        .stderr(contains("note: left out 1 images of ages above the range"))
        .stderr(contains("1 names lack a field; their ages are used: \"4_1_2017.png\""));
    // Decoded once: the cache gives the same, and --cache none leaves no folder.
    assert_eq!(files(&place.path("out/cache"))?.len(), 1);
    assert_eq!(json(&place, &format!("{AGE} -r 0.5 --json"))?.1, value);
    fs::remove_dir_all(place.path("out"))?;
    assert_eq!(json(&place, &format!("{AGE} -r 0.5 --json --cache none --threads 1"))?.1, value);
    assert!(!place.path("out").exists());
    // Cross entropy is a similarity too.
    let (_, value) = json(&place, &format!("{AGE} --similarity none --json"))?;
    close(&value["loss"], value["scores"]["scores"]["likelihood"].as_f64().ok_or("no likelihood")?);
    Ok(())
}

#[test]
fn ages_stand_in_folders_and_tables_too() -> Outcome {
    let place = Place::new()?;
    five_ages(&place)?;
    for (name, colour) in [("3/111/a.png", 1), ("4/112/b.png", 2), ("4/112/c.png", 3)] {
        write(&place.path("afad").join(name), &png(3, [colour; 3])?)?;
    }
    let (_, value) = json(&place, &format!("{} -r 0.5 --json", AGE.replace("faces", "afad")))?;
    close(&value["mae"], 2.0 / 3.0);
    place.file("labels.csv", "path,label\n3/111/a.png,1\n4/112/b.png,5\n")?;
    let (_, value) = json(&place, &format!("{} -r 0.5 --json --labels labels.csv", AGE.replace("faces", "afad")))?;
    assert_eq!(value["images"], 2);
    close(&value["mae"], 2.0);
    let line = format!("{} -r 0.5 --labels labels.csv", AGE.replace("faces", "afad"));
    place.file("labels.csv", "path,label\nd.png,1\n")?;
    place.refuses(&line, "labels.csv: these paths of the table are no images in the folder")?;
    place.file("labels.csv", "path,label\n3/111/a.png,old\n")?;
    place.refuses(&line, "labels.csv, line 2: \"old\" is not an age: a whole number from 0 to 150")
}

/// The names of 100 classes in groups of five, and two records of each class: the first to train, the second to test.
struct Cifar {
    train: Vec<u8>,
    test: Vec<u8>,
    fine: String,
    coarse: String,
}

impl Cifar {
    fn new() -> Self {
        let lines = |n: usize| (0..n).map(|i| format!("n{i:02}\n")).collect();
        let records = |first: u8| {
            let record = |class: u8| {
                [class / 5, class].into_iter().chain((0..3072usize).map(move |i| (i % 251) as u8 ^ class ^ first))
            };
            (0..100).flat_map(record).collect()
        };
        Cifar { train: records(0), test: records(77), fine: lines(100), coarse: lines(20) }
    }

    fn files(&self) -> [(&'static str, &[u8]); 4] {
        let names = ["train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"];
        let [a, b, c, d] = names;
        [(a, &self.train), (b, &self.test), (c, self.fine.as_bytes()), (d, self.coarse.as_bytes())]
    }

    fn write(&self, folder: &Path) -> Outcome {
        self.files().iter().try_for_each(|(name, bytes)| write(&folder.join(name), bytes))
    }

    fn tar(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut builder = tar::Builder::new(vec![]);
        for (name, bytes) in self.files() {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, format!("cifar-100-binary/{name}"), bytes)?;
        }
        Ok(builder.into_inner()?)
    }
}

/// The PNG of one record.
fn record_png(record: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let pixels: Vec<u8> = (0..1024).flat_map(|i| [0, 1, 2].map(|c| record[2 + 1024 * c + i])).collect();
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, 32, 32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

/// A LeNet of any parameters.
fn lenet(place: &Place, name: &str, classes: usize) -> Outcome {
    let kind = Kind::LeNet { classes };
    let count = kind.tensors().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum::<usize>();
    let parameters: Vec<f32> = (0..count).map(|i| ((i * 7919 % 2003) as f32 - 1001.0) / 8192.0).collect();
    Ok(checkpoint::write(&place.path(name), &kind, &parameters)?)
}

#[test]
fn cifar_100_is_read_in_every_form() -> Outcome {
    let place = Place::new()?;
    let cifar = Cifar::new();
    cifar.write(&place.path("unpacked/cifar-100-binary"))?;
    let tar = cifar.tar()?;
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gz.write_all(&tar)?;
    place.file("cifar.tar.gz", gz.finish()?)?;
    let mut xz = lzma_rust2::XzWriter::new(vec![], lzma_rust2::XzOptions::with_preset(0))?;
    xz.write_all(&tar)?;
    place.file("cifar.tar.xz", xz.finish()?)?;
    for (part, bytes) in [("train", &cifar.train), ("test", &cifar.test)] {
        for record in bytes.chunks_exact(3074) {
            let (group, class) = (record[0], record[1]);
            let name = format!("png/{part}/n{group:02}/n{class:02}/0.png");
            write(&place.path(&name), &record_png(record)?)?;
        }
    }
    lenet(&place, "net.safetensors", 100)?;
    let mut all = vec![];
    for path in ["unpacked", "unpacked/cifar-100-binary", "cifar.tar.gz", "cifar.tar.xz", "png"] {
        let line = format!("eval cifar100 {path} --checkpoint net.safetensors --json --similarity superclass -r 0.5");
        let (text, value) = json(&place, &line)?;
        assert!(value["superclass_accuracy"].is_f64() && value["failed_superclass_accuracy"].is_f64(), "{text}");
        assert_eq!((&value["images"], value["mae"].is_null()), (&100.into(), true));
        all.push((path, text.split(",\"data\":").next().unwrap_or_default().to_owned()));
    }
    for (path, figures) in &all {
        assert_eq!(*figures, all[0].1, "{path}");
    }
    // Classes without an order have no distances.
    place
        .simloss("eval cifar100 unpacked --checkpoint net.safetensors")
        .success()
        .stdout(contains("failed superclass accuracy").and(contains("MAE").not()).and(contains("loss (none)")));
    Ok(())
}

#[test]
fn damaged_files_of_cifar_100_are_named() -> Outcome {
    let place = Place::new()?;
    lenet(&place, "net.safetensors", 100)?;
    let line = "eval cifar100 data --checkpoint net.safetensors";
    let refuses = |change: fn(&mut Cifar), message: &str| {
        let mut cifar = Cifar::new();
        change(&mut cifar);
        cifar.write(&place.path("data"))?;
        place.refuses(line, message)
    };
    refuses(|c| c.test.truncate(5000), "data/test.bin: 5000 bytes are not a whole number of records of 3074 bytes")?;
    refuses(|c| c.test.push(0), "data/test.bin: 307401 bytes are not a whole number of records of 3074 bytes")?;
    refuses(|c| c.test[3074 + 1] = 100, "test.bin: record 2 (counted from 1): fine label 100 is not below 100")?;
    refuses(|c| c.test[3074] = 20, "test.bin: record 2 (counted from 1): coarse label 20 is not below 20")?;
    refuses(|c| c.fine.truncate(8), "fine_label_names.txt: the file names 2 classes, not 100")?;
    Cifar::new().write(&place.path("data"))?;
    fs::remove_file(place.path("data/coarse_label_names.txt"))?;
    place.refuses(
        line,
        "data: coarse_label_names.txt is missing; unpack the whole archive, or give the archive itself",
    )?;
    place.refuses(&line.replace("data", "nowhere"), "cannot read nowhere: No such file")?;
    place.file("cifar.tar.gz", b"not an archive")?;
    place.refuses(&line.replace("data", "cifar.tar.gz"), "cifar.tar.gz: the archive cannot be used")?;
    place.file("cifar.zip", b"PK")?;
    place.refuses(&line.replace("data", "cifar.zip"), "whose name ends in .tar.gz, .tar.xz or .tar")
}

/// With less memory than the headers promise to fill.
#[cfg(unix)]
#[test]
fn archives_get_memory_as_it_is_filled() -> Outcome {
    let place = Place::new()?;
    lenet(&place, "net.safetensors", 100)?;
    let program = env!("CARGO_BIN_EXE_simloss");
    let line = format!("ulimit -v 500000; exec {program} eval cifar100 c.tar --checkpoint net.safetensors --threads 1");
    for (kind, size, message) in [
        (tar::EntryType::Regular, 349_000 * 3074, "c.tar/test.bin: 0 bytes are not a whole number of records"),
        (tar::EntryType::GNULongName, 1 << 30, "c.tar: the archive cannot be used (an entry about another one holds"),
        (tar::EntryType::XHeader, 1 << 30, "holds 1073741824 bytes, more than 65536)"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_path("test.bin")?;
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        place.file("c.tar", header.as_bytes())?;
        let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(place.path("")).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(message), "{}: {said}", output.status);
    }
    Ok(())
}

#[test]
fn folders_of_classes_fit_their_network_by_name() -> Outcome {
    let place = Place::new()?;
    // The network: c is the most probable of a, b, c, d.
    let four = Kind::LeNet { classes: 4 };
    constant(&place, "bare.safetensors", &four, &[0.0, 0.0, 1.0, 0.5])?;
    place.simloss("import --checkpoint bare.safetensors --out net.safetensors --names d,b,c,a").success();
    for name in ["a/1.png", "b/1.png", "c/1.png", "c/2.png"] {
        write(&place.path("images").join(name), &png(5, [7; 3])?)?;
    }
    let line = "eval folder images --json --checkpoint";
    let (_, value) = json(&place, &format!("{line} net.safetensors --predictions p.csv"))?;
    close(&value["accuracy"], 0.5);
    assert!(place.read("p.csv")?.starts_with("path,label,argmax,expectation,p(d),p(b),p(c),p(a)\na/1.png,a,c,"));
    // Without names, classes are those of the folder, so their number must fit.
    place.refuses(&format!("{line} bare.safetensors"), "images: there are 3 classes, but the network has 4")?;
    write(&place.path("images/e/1.png"), &png(5, [7; 3])?)?;
    place.refuses(&format!("{line} net.safetensors"), "images: the network has no class \"e\"")?;
    // Only the part test is judged, where there is one.
    for name in ["train/a/1.png", "train/c/1.png", "test/a/1.png", "test/c/1.png", "test/c/2.png"] {
        write(&place.path("parts").join(name), &png(5, [7; 3])?)?;
    }
    let (_, value) = json(&place, &format!("{} net.safetensors", line.replace("images", "parts")))?;
    assert_eq!(value["images"], 3);
    close(&value["accuracy"], 2.0 / 3.0);
    Ok(())
}

#[test]
fn tables_are_judged_as_they_were_trained() -> Outcome {
    let place = Place::new()?;
    let mut text = "x,y,grade\n".to_owned();
    for i in 0..60 {
        let _ = writeln!(text, "{},{},{}", i % 3 * 10 + i / 3, i % 7, i % 3 + 4);
    }
    place.file("t.csv", text)?;
    place.simloss("train table t.csv --label grade --out out --seeds 1 --epochs 3 -r 0.3").success();
    let line = "eval table t.csv --label grade --checkpoint out/runs/order-r0.3/seed-1/model.safetensors";
    let (text, value) = json(&place, &format!("{line} --json --predictions p.csv"))?;
    assert!(text.starts_with("{\"samples\":60,\"accuracy\":"), "{text}");
    // The loss is the one it was trained with.
    assert_eq!(value["similarity"]["reduction_factor"], 0.3);
    assert!(place.read("p.csv")?.lines().nth(60).is_some_and(|row| row.starts_with("t.csv#60,6,")));
    // What leaves for PyTorch comes back, with the scaling of features.
    place
        .simloss("export --checkpoint out/runs/order-r0.3/seed-1/model.safetensors --out bare.safetensors")
        .success()
        .stdout(contains("parameters in PyTorch's layout: bare.safetensors"))
        .stderr(contains("(x - standardise.mean) / standardise.deviation"));
    place.simloss("import --checkpoint bare.safetensors --out back.safetensors --names 4,5,6").success();
    place.simloss("export --checkpoint back.safetensors --out again.safetensors").success();
    assert_eq!(fs::read(place.path("bare.safetensors"))?, fs::read(place.path("again.safetensors"))?);
    let back = "eval table t.csv --label grade --checkpoint back.safetensors";
    let unnamed = "the network does not name its features: they are the columns in the order of the file, \"x\", \"y\"";
    place.simloss(back).success().stderr(contains("trained with another one (unknown)").and(contains(unnamed)));
    for checkpoint in ["back", "bare"] {
        let (_, found) =
            json(&place, &format!("{} --json -r 0.3 --similarity order", back.replace("back", checkpoint)))?;
        assert_eq!(found["scores"], value["scores"], "{checkpoint}");
    }
    constant(&place, "unscaled.safetensors", &Kind::Table { inputs: 2, hidden: vec![3], classes: 3 }, &[0.0; 3])?;
    place.simloss("import --checkpoint unscaled.safetensors --out u.safetensors").success().stderr(contains(
        "holds no standardise.mean and standardise.deviation: features enter the network as they are",
    ));
    place.refuses(&format!("{back} --ignore y"), "are 1 numbers each, but the network takes 2")?;
    place.refuses("import --checkpoint bare.safetensors --out x --names a,b", "3 classes, but 2 are named")?;
    place.refuses("import --checkpoint bare.safetensors --out x --ages 1..90", "3 classes, but 90 are named")?;
    place.refuses(&line.replace("t.csv", "missing.csv"), "cannot read missing.csv")
}

#[test]
fn a_table_is_judged_by_the_names_of_its_columns() -> Outcome {
    let place = Place::new()?;
    // `a` says the class, `b` misleads, `c` is noise.
    let row = |i: usize| [i % 3 * 10 + i / 3 % 4, (i + 1) % 3 * 10, i % 7, i % 3];
    let class = ["low", "middle", "high"];
    let table = |names: &str, order: [usize; 3], rows: std::ops::Range<usize>| {
        let rows = rows.map(|i| (order.map(|k| row(i)[k]), class[row(i)[3]]));
        let rows: String = rows.map(|([x, y, z], name)| format!("{x},{y},{z},{name}\n")).collect();
        format!("{names},size\n{rows}")
    };
    let (abc, cba) = (table("a,b,c", [0, 1, 2], 0..60), table("c,b,a", [2, 1, 0], 0..60));
    place.file("abc.csv", &abc)?.file("cba.csv", cba)?;
    let train = "train table abc.csv --label size --order low,middle,high --seeds 1 --epochs 30 -r 0.3 --out o";
    place.simloss(train).success();
    let line = "eval table abc.csv --label size --checkpoint o/runs/cross-entropy/seed-1/model.safetensors";
    let (_, value) = json(&place, &format!("{line} --json"))?;
    assert!(value["accuracy"].as_f64() > Some(0.9), "{value}");
    // Of cross entropy only the model knows that the classes are in an order.
    for measure in ["mae", "mse", "mae_expectation"] {
        assert!(value[measure].is_f64(), "{value}");
    }
    let (_, other) = json(&place, &format!("{} --json", line.replace("abc", "cba")))?;
    assert_eq!((&other["scores"], &other["fingerprint"]), (&value["scores"], &value["fingerprint"]));
    // Other columns are missed, or left out.
    place
        .file("abx.csv", abc.replace("a,b,c", "a,b,x"))?
        .file("more.csv", table("a,b,c,d", [0, 1, 2], 0..0) + "1,2,3,4,low\n")?;
    let missed = "abx.csv, line 1: the columns do not fit the network: missing: \"c\"; not among those it takes: \"x\"";
    place.refuses(&line.replace("abc", "abx"), missed)?;
    place.refuses(
        &line.replace("abc", "more"),
        "not among those it takes: \"d\"; correct their names, and leave out with --ignore",
    )?;
    place.refuses(&format!("{line} --ignore c"), "missing: \"c\"")?;
    // One sample, and one class, are enough; its classes are those of the network.
    let (_, value) = json(&place, &format!("{} --ignore d --json", line.replace("abc", "more")))?;
    assert_eq!(value["samples"], 1);
    place.file("twelve.csv", table("a,b,c", [0, 1, 2], 0..12))?;
    place
        .simloss(&line.replace("abc", "twelve"))
        .success()
        .stdout(contains("12 samples, 3 classes").and(contains("MAE")));
    place.file("twelve.csv", "a,b,c,size\n1,2,3,low\n1,2,3,huge\n")?;
    let unknown =
        "twelve.csv, line 3, column \"size\": the network has no class \"huge\"; its classes are \"low\", \"middle\"";
    place.refuses(&line.replace("abc", "twelve"), unknown)
}

#[test]
fn no_output_replaces_an_input() -> Outcome {
    let place = Place::new()?;
    faces(&place, &[1, 3, 5])?;
    five_ages(&place)?;
    place.file("labels.csv", "path,label\n1_0_1_2017.png,1\n")?.file("s.csv", "1,0.5\n0.5,1\n")?;
    place.file("names.txt", "a\nb\nc\nd\ne\n")?;
    let (table, net) = ("x,y\n1,a\n2,b\n", fs::read(place.path("net.safetensors"))?);
    place.file("t.csv", table)?;
    for (line, output) in [
        ("eval table t.csv --label y --checkpoint net.safetensors --predictions ./t.csv", "t.csv"),
        ("eval age faces --checkpoint net.safetensors --predictions net.safetensors", "net.safetensors"),
        ("eval age faces --labels labels.csv --checkpoint net.safetensors --predictions labels.csv", "labels.csv"),
        ("eval age faces --similarity s.csv --checkpoint net.safetensors --predictions s.csv", "s.csv"),
        ("export --checkpoint net.safetensors --out net.safetensors", "net.safetensors"),
        ("import --checkpoint net.safetensors --out net.safetensors", "net.safetensors"),
        ("import --checkpoint slot.bin --base net.safetensors --out net.safetensors", "net.safetensors"),
        ("import --checkpoint net.safetensors --names @names.txt --out names.txt", "names.txt"),
    ] {
        place.refuses(line, &format!("{output} would replace the input "))?;
    }
    assert_eq!((place.read("t.csv")?, fs::read(place.path("net.safetensors"))?), (table.to_owned(), net));
    // Neither a matrix nor a head.
    fs::create_dir(place.path("out"))?;
    place.file("out/similarity.csv", "1,0.5\n0.5,1\n")?;
    place.refuses(
        "similarity --similarity out/similarity.csv --out out",
        "out/similarity.csv would replace the input out/similarity.csv; write elsewhere",
    )?;
    fs::rename(place.path("net.safetensors"), place.path("out/head.bin"))?;
    place.refuses("export --checkpoint out/head.bin --head 1 --out out", "out/head.bin would replace the input")?;
    Ok(())
}

#[test]
fn checkpoints_that_cannot_be_used_are_refused() -> Outcome {
    let place = Place::new()?;
    faces(&place, &[1, 3, 5])?;
    five_ages(&place)?;
    let whole = fs::read(place.path("net.safetensors"))?;
    let line = format!("{AGE} -r 0.5");
    let refuses = |bytes: &[u8], message: &str| {
        fs::write(place.path("net.safetensors"), bytes)?;
        place.refuses(&line, message)
    };
    refuses(&whole[..whole.len() - 1], "net.safetensors is not a trained network that this version can use")?;
    refuses(&whole[..100], "net.safetensors is not a trained network that this version can use")?;
    refuses(b"", "net.safetensors is not a trained network that this version can use")?;
    let mut huge = whole.clone();
    huge[..8].copy_from_slice(&(4u64 << 30).to_le_bytes());
    refuses(&huge, "net.safetensors is not a trained network that this version can use: ")?;
    let mut poisoned = whole.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    refuses(&poisoned, "is NaN")?;
    // Networks of other data.
    lenet(&place, "net.safetensors", 96)?;
    place.refuses(&line, "--ages 1..5 are 5 classes, but the network of net.safetensors has 96")?;
    constant(&place, "net.safetensors", &Kind::Table { inputs: 2, hidden: vec![3], classes: 5 }, &[0.0; 5])?;
    place.refuses(&line, "it takes tables of 2 features, not images")?;
    constant(&place, "net.safetensors", &Kind::Ages { classes: 90 }, &[0.0; 90])?;
    Cifar::new().write(&place.path("cifar"))?;
    place.refuses("eval cifar100 cifar --checkpoint net.safetensors", "but the network has 90")?;
    place.refuses(&line.replace("net.", "missing."), "cannot read missing.safetensors")?;
    place.refuses("export --checkpoint faces/1_0_1_2017.png --out x", "is not a trained network")
}

/// The bytes of an image of `tests/golden/images.json`.
fn golden(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/images.json"))?;
    let images = golden["jpeg"].as_array().ok_or("no images")?;
    let image = images.iter().find(|image| image["name"] == name).ok_or("no such image")?;
    let hex = image["file"].as_str().ok_or("no file")?;
    Ok((0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16)).collect::<Result<_, _>>()?)
}

#[test]
fn images_of_every_kind_are_read_or_named() -> Outcome {
    let place = Place::new()?;
    five_ages(&place)?;
    let line = format!("{AGE} -r 0.5");
    for (age, name) in (1..).zip(["baseline", "progressive", "grey", "cmyk", "progressive grey"]) {
        write(&place.path(&format!("faces/{age}_0_0_1.jpg")), &golden(name)?)?;
    }
    place.simloss(&line).success().stdout(contains("faces: 5 images"));
    fs::remove_dir_all(place.path("out"))?;

    let refuses = |bytes: &[u8], message: &str| {
        write(&place.path("faces/2_0_0_2.jpg"), bytes)?;
        place.refuses(&line, &format!("faces/2_0_0_2.jpg: {message}"))
    };
    refuses(b"", "the file is empty; give a PNG or JPEG image, or remove it")?;
    refuses(b"GIF89a", "the file is a GIF image; give a PNG or JPEG image, or remove it")?;
    refuses(b"what", "the file is neither PNG nor JPEG")?;
    let whole = golden("baseline")?;
    refuses(&whole[..whole.len() / 2], "the image cannot be decoded")?;
    let start = whole.windows(2).position(|b| b == [0xff, 0xc0]).ok_or("no frame")?;
    let mut huge = whole;
    huge[start + 5..start + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    refuses(&huge, "the image has 65500 x 65500 pixels, more than 16384 a side")?;
    fs::remove_file(place.path("faces/2_0_0_2.jpg"))?;
    #[cfg(unix)]
    {
        // A file that cannot be read: it points nowhere.
        std::os::unix::fs::symlink("nowhere", place.path("faces/2_0_0_2.jpg"))?;
        place.refuses(&line, "cannot read faces/2_0_0_2.jpg")?;
    }
    Ok(())
}

#[test]
fn folders_that_do_not_fit_are_refused() -> Outcome {
    let place = Place::new()?;
    five_ages(&place)?;
    let line = format!("{AGE} -r 0.5");
    place.refuses(&line, "cannot read faces: No such file")?;
    fs::create_dir(place.path("faces"))?;
    place.refuses(&line, "faces: the folder holds no PNG or JPEG images; is it the right one?")?;
    write(&place.path("faces/images.zip"), b"")?;
    place.refuses(&line, "but 1 other files; unpack archives first")?;
    write(&place.path("faces/anna.png"), &png(2, [1; 3])?)?;
    place.refuses(&line, "no images of ages in the range; left out 1 files that are neither PNG nor JPEG; left out 1 images without an age in their name or folder, such as \"anna.png\"")?;
    faces(&place, &[40])?;
    place.refuses(&line, "left out 1 images of ages above the range")?;
    faces(&place, &[3])?;
    place.simloss(&line).success().stderr(contains("note: left out 1 images without an age"));
    let ages = "the ages must be two whole numbers from 0 to 150, the lesser first, such as 1..90";
    for range in ["5..1", "1..151", "1-90", "x"] {
        place.refuses(&line.replace("1..5", range), ages)?;
    }
    // Class folders.
    lenet(&place, "lenet.safetensors", 2)?;
    let line = "eval folder classes --checkpoint lenet.safetensors";
    place.refuses(line, "cannot read classes: No such file")?;
    for name in ["a/1.png", "b/1.png", "b/2.png"] {
        write(&place.path("classes").join(name), &png(2, [1; 3])?)?;
    }
    place.simloss(line).success().stdout(contains("classes: 3 images, 2 classes"));
    fs::create_dir(place.path("classes/c"))?;
    place.refuses(line, "classes: class \"c\" has no images; add some, or remove its folder")?;
    fs::remove_dir(place.path("classes/c"))?;
    write(&place.path("classes/b/deep/1.png"), &png(2, [1; 3])?)?;
    place.refuses(line, "classes/b: the folder holds images and folders with images")
}

#[test]
fn similarities_name_the_classes() -> Outcome {
    let place = Place::new()?;
    place.file("v.txt", "cat 1 0\ndog 3 4\nemu 0 2\n")?;
    // All words of the file.
    let line = "similarity --similarity vectors --vectors v.txt -l 0.5";
    place.simloss(line).success().stdout(contains("vectors, l = 0.5"));
    // (.6 - .5) / .5 and (.8 - .5) / .5.
    let stored = place.read("out/similarity/similarity.csv")?;
    let rows: Vec<Vec<&str>> = stored.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!(rows[0][1..], ["cat", "dog", "emu"]);
    let entry = |y: usize, c: usize| rows[y + 1][c + 1].parse::<f64>().unwrap_or(f64::NAN);
    assert!((entry(0, 1) - 0.2).abs() < 1e-6 && (entry(1, 2) - 0.6).abs() < 1e-6 && entry(0, 2) == 0.0, "{stored}");
    // The same from binary and with a header.
    let mut binary = b"3 2\n".to_vec();
    for (word, numbers) in [("cat", [1.0f32, 0.0]), ("dog", [3.0, 4.0]), ("emu", [0.0, 2.0])] {
        binary.extend(format!("{word} ").as_bytes());
        numbers.iter().for_each(|x| binary.extend(x.to_le_bytes()));
        binary.push(b'\n');
    }
    place.file("v.bin", binary)?.file("w.txt", "3 2\ncat 1 0\ndog 3 4\nemu 0 2\n")?;
    for file in ["v.bin", "w.txt"] {
        place.simloss(&line.replace("v.txt", file)).success();
        assert_eq!(place.read("out/similarity/similarity.csv")?, stored, "{file}");
    }
    // Names from a file, one of which has no vector, another one an alias.
    place.file("names.txt", "emu\nwolf\nhound\n")?.file("aliases.csv", "class,alias\nhound,dog\n")?;
    let named = format!("{line} --names @names.txt --aliases aliases.csv");
    place
        .refuses(&named, "v.txt: no vector for 1 of the classes: \"wolf\"; give their words with --aliases FILE.csv")?;
    place.refuses(&format!("{line} --names @names.txt"), "no vector for 2 of the classes: \"wolf\", \"hound\"")?;
    place
        .simloss(&format!("{named} --unnamed drop"))
        .success()
        .stderr(contains("note: left out 1 classes that the similarity does not name: \"wolf\""));
    let stored = place.read("out/similarity/similarity.csv")?;
    assert!(stored.lines().next().is_some_and(|row| row.ends_with(",emu,hound")), "{stored}");
    place.refuses("similarity -r 0.5 --names a,b,a", "--names holds \"a\" twice; name each class once")?;
    place.refuses("similarity -r 0.5 --names a,,b", "--names holds an empty name; fill it in")?;
    // Options that have no effect, and those that lack one.
    place.refuses("similarity --similarity vectors -l 0.5", "--similarity vectors needs --vectors FILE")?;
    place.refuses("similarity --similarity vectors --vectors v.txt", "--similarity vectors needs -l, --lower-bound")?;
    place
        .refuses("similarity -r 0.5 --classes 3 --vectors v.txt", "--vectors has no effect with --similarity order")?;
    place
        .refuses("similarity -r 0.5 --classes 3 --aliases a.csv", "--aliases has no effect with --similarity order")?;
    place
        .refuses("similarity -r 0.5 --classes 3 --unnamed drop", "--missing-classes has an effect with --names and")?;
    place.refuses(&line.replace("v.txt", "missing.txt"), "cannot read missing.txt")?;
    place.file("bad.txt", "cat 1 0\ndog 3\n")?;
    place.refuses(&line.replace("v.txt", "bad.txt"), "bad.txt, line 2: \"dog\" has 1 fields, not 2 numbers")
}

#[test]
fn matrices_of_numpy_stand_beside_csv() -> Outcome {
    let place = Place::new()?;
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }";
    npy.extend(format!("{header:<117}\n").as_bytes());
    [1.0f64, 0.5, 0.25, 1.0].iter().for_each(|x| npy.extend(x.to_le_bytes()));
    place.file("s.npy", &npy)?.file("s.csv", "1,0.5\n0.25,1\n")?;
    place.simloss("similarity --similarity s.csv --names a,b --out csv").success();
    place
        .simloss("similarity --similarity s.npy --names a,b --out npy")
        .success()
        .stderr(contains("s.npy gives no names: its rows and columns are taken in the order \"a\", \"b\""));
    assert_eq!(place.read("csv/similarity.csv")?, place.read("npy/similarity.csv")?);
    place.simloss("similarity --similarity s.npy -l 0.2").success().stdout(contains("s.npy, l = 0.2"));
    place.refuses("similarity --similarity s.npy --names a,b,c", "the matrix is for 2 classes, but there are 3")?;
    npy.truncate(npy.len() - 8);
    place.file("short.npy", &npy)?;
    place.refuses("similarity --similarity short.npy", "short.npy: its numbers cannot be read")?;
    let at = npy.len() - 8;
    npy[at..].copy_from_slice(&(-0.25f64).to_le_bytes());
    npy.extend(1.0f64.to_le_bytes());
    place.file("low.npy", &npy)?;
    place.refuses(
        "similarity --similarity low.npy --names a,b",
        "true class \"b\" and class \"a\" is -0.25, outside [0, 1]; -l",
    )
}

#[test]
fn a_similarity_must_name_the_classes_of_a_network() -> Outcome {
    let place = Place::new()?;
    for name in ["cat/1.png", "dog/1.png"] {
        write(&place.path("images").join(name), &png(2, [1; 3])?)?;
    }
    lenet(&place, "net.safetensors", 2)?;
    let line = "eval folder images --checkpoint net.safetensors --similarity";
    // More names than classes do no harm.
    place.file("good.csv", ",cat,cow,dog\ncat,1,0,.5\ncow,0,1,0\ndog,.5,0,1\n")?;
    place.simloss(&format!("{line} good.csv")).success().stdout(contains("loss (good.csv)"));
    place.file("bad.csv", ",cat,cow,hen\ncat,1,0,.5\ncow,0,1,0\nhen,.5,0,1\n")?;
    place.refuses(
        &format!("{line} bad.csv"),
        "bad.csv: the names do not fit the classes: missing: \"dog\"; not a class: \"cow\", \"hen\"",
    )?;
    place.file("v.txt", "cat 1 0\ncow 3 4\n")?;
    place.refuses(&format!("{line} vectors --vectors v.txt -l 0.5"), "no vector for 1 of the classes: \"dog\"")?;
    place.refuses(&format!("{line} order -r 0.1,0.2"), "give one -r, --reduction-factor, not 2")?;
    place.refuses(&format!("{line} order"), "--similarity order needs -r, --reduction-factor")
}
