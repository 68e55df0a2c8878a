//! The data that people have, through the binary `simloss`: what it makes of them, what it says, and what it refuses.

use crate::place::{Outcome, Place, contents};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use simloss_train::{compute::network::Kind, model::checkpoint};
use std::{error::Error, fmt::Write as _, fs, path::Path};

/// A PNG of one color.
fn png(side: u32, color: [u8; 3]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&color.repeat((side * side) as usize))?;
    writer.finish()?;
    Ok(file)
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    Ok(fs::write(path, bytes)?)
}

/// `n` images of each of these folders.
fn images(place: &Place, folders: &[&str], n: u8) -> Outcome {
    for (tone, folder) in (0..).zip(folders) {
        for i in 0..n {
            write(&place.path(folder).join(format!("{i}.png")), &png(4, [40 * tone, 10 * i, 99])?)?;
        }
    }
    Ok(())
}

/// Three grades that two columns tell apart, most of the time: the grade, and numbers with three decimals.
fn grades(n: u32) -> Vec<(u32, [f64; 2])> {
    (0..n).map(|i| (i % 3, [f64::from(i % 3) + 0.377, f64::from(i * 7919 % 31) / 31.0 - 0.5])).collect()
}

const TRAIN: &str = "--label grade --seeds 1 --epochs 3 -r 0.5 --hidden 4";
const MODEL: &str = "order-r0.5/seed-1/model.safetensors";

fn json(place: &Place, line: &str) -> Result<serde_json::Value, Box<dyn Error>> {
    let output = place.simloss(line).success().get_output().stdout.clone();
    Ok(serde_json::from_slice(&output)?)
}

#[test]
fn one_table_in_many_forms_makes_one_model() -> Outcome {
    let place = Place::new()?;
    let text = |separator: &str, comma: bool| {
        let mut text = ["grade", "x1", "x2"].join(separator) + "\n";
        for (grade, [a, b]) in grades(60) {
            let row = format!("{grade}{separator}{a:.3}{separator}{b:.3}\n");
            text += &if comma { row.replace('.', ",") } else { row };
        }
        text
    };
    place.file("plain.csv", text(",", false))?;
    place.simloss(&format!("train table plain.csv {TRAIN} --out plain")).success();
    let plain = fs::read(place.path(&format!("plain/runs/{MODEL}")))?;
    let indexed: String = text(",", false)
        .lines()
        .enumerate()
        .map(|(i, line)| if i == 0 { format!(",{line}\n") } else { format!("{},{line}\n", i - 1) })
        .collect();
    // As pandas numbers the rows that a filter leaves.
    let shuffled: String = indexed
        .lines()
        .enumerate()
        .map(|(i, line)| match line.split_once(',') {
            Some((_, rest)) if i > 0 => format!("{},{rest}\n", i * 7919 % 1009),
            _ => format!("{line}\n"),
        })
        .collect();
    let no_names = text(",", false).replacen("grade,x1,x2\n", "", 1);
    for (name, text, options, said) in [
        ("german", text(";", true), "", "60 numbers with a decimal comma"),
        ("excel", format!("sep=;\n{}", text(";", true)), "", "the first line says that fields are separated by ';'"),
        ("bars", text("|", false), "", ""),
        ("spaces", text("  ", false), "--delimiter space", ""),
        ("trailing", text(",", false).replace('\n', ",\n"), "", "left out column 4 without a name: it is empty"),
        ("index", indexed, "", "left out column 1 without a name: it numbers the rows"),
        ("shuffled", shuffled, "", "left out column 1 without a name: it numbers the rows"),
        ("breaks", text(",", false).replacen("x1", "\"x1\"", 1), "", ""),
    ] {
        place.file(&format!("{name}.csv"), text)?;
        let line = format!("train table {name}.csv {TRAIN} --out {name} {options}");
        place.simloss(&line).success().stderr(contains(said).and(contains("3 classes, ordered as listed")));
        assert!(fs::read(place.path(&format!("{name}/runs/{MODEL}")))? == plain, "{name}");
    }
    // Without names, columns have numbers for names; nothing is lost.
    place.file("bare.csv", no_names)?;
    place.refuses(
        &format!("train table bare.csv {} --out bare", TRAIN.replace("grade", "0")),
        "is the row with the names missing? Then add --no-header",
    )?;
    place
        .simloss(&format!("train table bare.csv {} --out bare --no-header", TRAIN.replace("grade", "1")))
        .success()
        .stderr(contains("bare.csv: 60 samples of 2 features: 2, 3"));
    Ok(())
}

#[test]
fn what_was_fitted_goes_with_the_model() -> Outcome {
    let place = Place::new()?;
    let mut text = "grade,x,flag,color\n".to_owned();
    for (i, (grade, [a, _])) in grades(90).into_iter().enumerate() {
        let a = if i % 7 == 3 { "?".to_owned() } else { format!("{a:.3}") };
        let color = if i % 11 == 5 { "" } else { ["red", "green", "blue"][i % 3] };
        let _ = writeln!(text, "{grade},{a},{},{color}", if i % 2 == 0 { "Yes" } else { "no" });
    }
    place.file("t.csv", &text)?;
    let line = format!("train table t.csv {TRAIN} --out o");
    place.refuses(&line, "t.csv, line 5, column \"x\": \"?\" stands for a missing value; fill it in, or remove")?;
    place
        .simloss(&format!("{line} --missing median"))
        .success()
        .stderr(contains("column \"flag\" is read as no = 0, yes = 1"))
        .stderr(contains("column \"color\" becomes 3 columns of 0 and 1: \"blue\", \"green\", \"red\""))
        .stderr(contains("column \"x\": 13 missing values are filled in with the median of the training set"))
        .stderr(contains("t.csv: 90 samples of 5 features: x, flag, color=blue, color=green, color=red"));
    let model = format!("o/runs/{MODEL}");
    let eval = json(&place, &format!("eval table t.csv --label grade --checkpoint {model} --json"))?;
    assert_eq!(eval["samples"], 90);
    // The same rows without labels, in another order of columns, with one that the network does not take.
    let mut bare = "color,id,x,flag\n".to_owned();
    for (i, row) in text.lines().skip(1).enumerate() {
        let fields: Vec<&str> = row.split(',').collect();
        let _ = writeln!(bare, "{},{},{},{}", fields[3], 1000 + 2 * i, fields[1], fields[2]);
    }
    place.file("bare.csv", &bare)?;
    let predict = format!("predict bare.csv --checkpoint {model}");
    let output =
        place.simloss(&predict).success().stderr(contains("left out columns that the network does not take: \"id\""));
    let printed = String::from_utf8(output.get_output().stdout.clone())?;
    let rows: Vec<Vec<&str>> = printed.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!((rows[0].join(","), rows.len()), ("sample,class,median,expectation,p(0),p(1),p(2)".to_owned(), 91));
    let truth: Vec<&str> = text.lines().skip(1).map(|row| &row[..1]).collect();
    let right = rows[1..].iter().zip(&truth).filter(|(row, truth)| row[1] == **truth).count();
    assert_eq!(eval["accuracy"].as_f64(), Some(right as f64 / 90.0));
    let off: f64 = rows[1..]
        .iter()
        .zip(&truth)
        .map(|(row, truth)| Ok((row[3].parse::<f64>()? - truth.parse::<f64>()?).abs()))
        .sum::<Result<f64, Box<dyn Error>>>()?;
    assert!((eval["mae_expectation"].as_f64().ok_or("no mae")? - off / 90.0).abs() < 1e-6);
    // In a file, and as JSON.
    place.simloss(&format!("{predict} --out p.csv")).success().stdout(contains("90 predictions: p.csv"));
    assert_eq!(place.read("p.csv")?, printed);
    let all = json(&place, &format!("{predict} --json"))?;
    let all = all.as_array().ok_or("no array")?;
    assert_eq!((all.len(), &all[4]["sample"], &all[4]["class"]), (90, &5.into(), &rows[5][1].into()));
    assert_eq!(all[4]["probabilities"]["2"].as_f64().map(|p| (p as f32).to_string()), Some(rows[5][6].to_owned()));
    // What is not known is refused by name, and nothing is half written.
    for (from, to, message) in [
        (
            "green,",
            "violet,",
            "bare.csv, line 3, column \"color\": the network does not know \"violet\" in this column; it",
        ),
        (
            "Yes",
            "maybe",
            "column \"flag\": the network does not know \"maybe\" in this column; it knows \"no\", \"yes\"",
        ),
        ("x,", "z,", "the columns do not fit the network: missing: \"x\""),
    ] {
        place.file("bare.csv", bare.replacen(from, to, 1))?;
        place.refuses(&format!("{predict} --out q.csv"), message)?;
    }
    // A network that fills nothing in asks.
    place.simloss(&format!("train table t.csv {TRAIN} --out d --missing drop")).success();
    place.file("bare.csv", &bare)?;
    let predict = predict.replace("o/runs", "d/runs");
    place.refuses(
        &format!("{predict} --out q.csv"),
        "bare.csv, line 5, column \"x\": \"?\" stands for a missing value",
    )?;
    place
        .simloss(&format!("{predict} --missing drop"))
        .success()
        .stderr(contains("left out 20 rows with a missing value"));
    // The firmware's frozen part fills in the same.
    place.simloss(&format!("export --checkpoint {model} --head 1 --out head")).success();
    let frozen = place.read("head/frozen.rs")?;
    for part in ["pub static MEDIAN: [f64; INPUTS] = [", "filled.iter_mut().zip(&MEDIAN)", "SCALE.scale_into(&filled, "]
    {
        assert!(frozen.contains(part), "{frozen}");
    }
    // Through PyTorch's layout and back, medians are kept.
    place.simloss(&format!("export --checkpoint {model} --out t.safetensors")).success();
    let trained = checkpoint::read(&place.path("t.safetensors"))?;
    assert_eq!(trained.standardiser, checkpoint::read(&place.path(&model))?.standardiser);
    assert_eq!(trained.standardiser.map(|scale| scale.median().len()), Some(5));
    Ok(())
}

#[test]
fn values_beyond_24_bits_keep_their_distances() -> Outcome {
    let place = Place::new()?;
    for (name, first) in [("big", 100_000_001u32), ("dates", 20_210_131)] {
        let mut text = "grade,x1,x2\n".to_owned();
        for (grade, [a, b]) in grades(60) {
            let _ = writeln!(text, "{},{:.3},{b:.3}", first + 70 * grade, a + 6.0 * b);
        }
        place.file("t.csv", &text)?;
        place.simloss(&format!("train table t.csv {TRAIN} --out {name}")).success();
        let line =
            format!("eval table t.csv --label grade --checkpoint {name}/runs/{MODEL} --json --predictions {name}.csv");
        let eval = json(&place, &line)?;
        let predictions = place.read(&format!("{name}.csv"))?;
        let (mut answered, mut expected, mut wrong) = (0.0, 0.0, 0);
        for row in predictions.lines().skip(1) {
            let fields: Vec<&str> = row.split(',').collect();
            let [label, argmax, expectation] = [1, 2, 3].map(|i| fields[i].parse::<f64>().unwrap_or(f64::NAN));
            let p = fields[4..].iter().map(|p| f64::from(p.parse::<f32>().unwrap_or(f32::NAN)));
            let mean: f64 = p.zip(0u32..).map(|(p, k)| p * f64::from(first + 70 * k)).sum();
            assert!((mean - expectation).abs() < 1e-6, "{row}");
            answered += (label - argmax).abs() / 60.0;
            expected += (label - expectation).abs() / 60.0;
            wrong += u32::from(label != argmax);
        }
        let close =
            |key: &str, x: f64| assert!((eval[key].as_f64().unwrap_or(f64::NAN) - x).abs() < 1e-6, "{key} {x} {eval}");
        assert!(wrong > 0 && answered > 1.0, "{name}: {wrong}");
        close("mae", answered);
        close("mae_expectation", expected);
    }
    Ok(())
}

#[test]
fn orders_are_given_with_quotes_blanks_or_a_file() -> Outcome {
    let place = Place::new()?;
    let names = ["Yes, limited a lot", "Yes, limited a little", "No, not at all"];
    let mut text = "grade,x1,x2\n".to_owned();
    for (grade, [a, b]) in grades(60) {
        let _ = writeln!(text, "\"{}\",{a:.3},{b:.3}", names[grade as usize]);
    }
    place.file("sf.csv", &text)?;
    place.file("plain.txt", names.join("\n"))?;
    place.file("quoted.txt", names.map(|name| format!("\"{name}\"\r\n")).concat())?;
    place.file("line.txt", format!("{}\n", names.map(|name| format!("\"{name}\"")).join(", ")))?;
    for file in ["plain", "quoted", "line"] {
        let line = format!("train table sf.csv {TRAIN} --out {file} --order @{file}.txt");
        place
            .simloss(&line)
            .success()
            .stderr(contains("3 classes, ordered as listed").and(contains("  Yes, limited a lot ")));
    }
    let runs = |name: &str| contents(&place.path(&format!("{name}/runs")));
    assert!(runs("plain")? == runs("quoted")? && runs("plain")? == runs("line")?);
    place.refuses(&format!("train table sf.csv {TRAIN} --out x --order @gone.txt"), "cannot read gone.txt")?;
    place.refuses(&format!("train table sf.csv {TRAIN} --out x --order a,b,a"), "\"a\" twice; name each class once")?;
    // A level that no sample has counts.
    let gap = "grade,x\n".to_owned() + &[1, 2, 4, 5].map(|y| format!("{y},{}.5\n", 7 - y)).concat().repeat(10);
    place.file("gap.csv", gap)?;
    place
        .simloss(&format!("train table gap.csv {TRAIN} --out gap"))
        .success()
        .stderr(contains("nothing is between 2 and 4").and(contains("4 classes, ordered as listed")));
    place
        .simloss(&format!("train table gap.csv {TRAIN} --out levels --order 1,2,3,4,5"))
        .success()
        .stderr(contains("no sample has the class \"3\" of --order").and(contains("5 classes, ordered as listed")));
    Ok(())
}

const FOLDER: &str = "--epochs 1 --seeds 1 --size 16 --cache none";

#[test]
fn folders_as_they_are_unpacked() -> Outcome {
    let place = Place::new()?;
    let part = |part: &str| ["NORMAL", "PNEUMONIA"].map(|class| format!("xray/chest_xray/{part}/{class}"));
    for (name, n) in [("Training", 6), ("valid", 2), ("test_set", 3)] {
        let folders = part(name);
        images(&place, &folders.each_ref().map(String::as_str), n)?;
    }
    write(&place.path("xray/__MACOSX/chest_xray/._a.png"), b"x")?;
    place
        .simloss(&format!("train folder xray --out o {FOLDER}"))
        .success()
        .stderr(contains("passed over 1 folders that a system leaves behind: \"__MACOSX\""))
        .stderr(contains("2 classes, not ordered; training, validation, and test samples (sets from the folders)"))
        .stderr(contains("  NORMAL           6       2       3"));
    // A class that a part lacks is named.
    images(&place, &["lacks/train/a", "lacks/train/b", "lacks/train/c", "lacks/test/a", "lacks/test/d"], 6)?;
    place
        .simloss(&format!("train folder lacks --out l {FOLDER}"))
        .success()
        .stderr(contains("no training samples of \"d\""))
        .stderr(contains("no test samples of \"b\", \"c\""));
    // Parts without classes, and what may be parts.
    images(&place, &["flat/train/a", "flat/train/b", "flat/test"], 3)?;
    place.refuses(
        &format!("train folder flat --out f {FOLDER}"),
        "flat: no class folders are in \"test\", which by their names",
    )?;
    images(&place, &["sites/a/train/x", "sites/a/test/x", "sites/b/train/x"], 3)?;
    place.refuses(
        &format!("train folder sites --out f {FOLDER}"),
        "As it stands, the classes would be \"a/test/x\", \"a/train/x\", \"b/train/x\"",
    )?;
    // Numbers, but for one.
    images(&place, &["bins/10", "bins/20", "bins/100", "bins/inf"], 6)?;
    place
        .simloss(&format!("train folder bins --out b {FOLDER}"))
        .success()
        .stderr(contains("4 classes, not ordered").and(contains("similarity: none (default)")));
    // One folder around all groups nothing.
    images(&place, &["nested/data/cat", "nested/data/dog"], 6)?;
    place
        .simloss(&format!("train folder nested --out n {FOLDER}"))
        .success()
        .stderr(contains("similarity: none (default)"));
    Ok(())
}

#[test]
fn images_are_predicted_and_bad_ones_left_out() -> Outcome {
    let place = Place::new()?;
    images(&place, &["new/deep"], 3)?;
    write(&place.path("single.png"), &png(9, [1, 2, 3])?)?;
    let kind = Kind::LeNet { classes: 3 };
    let count = kind.tensors().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum::<usize>();
    let parameters: Vec<f32> = (0..count).map(|i| ((i * 7919 % 2003) as f32 - 1001.0) / 8192.0).collect();
    checkpoint::write(&place.path("bare.safetensors"), &kind, &parameters)?;
    place.simloss("import --checkpoint bare.safetensors --names 1,2,3 --out net.safetensors").success();
    let line = "predict new single.png --checkpoint net.safetensors";
    let output = place.simloss(line).success();
    let printed = String::from_utf8(output.get_output().stdout.clone())?;
    let first: Vec<&str> = printed.lines().filter_map(|row| row.split(',').next()).collect();
    assert_eq!(first, ["sample", "new/deep/0.png", "new/deep/1.png", "new/deep/2.png", "single.png"]);
    let sum: f32 =
        printed.lines().nth(4).ok_or("no row")?.split(',').skip(4).filter_map(|p| p.parse::<f32>().ok()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{printed}");
    write(&place.path("new/bad.jpg"), b"GIF89a")?;
    write(&place.path("new/empty.jpg"), b"")?;
    place.simloss(line).code(2).stderr(contains("2 images cannot be used: new/bad.jpg (the file is a GIF image;"));
    place
        .simloss(&format!("{line} --skip-bad"))
        .success()
        .stdout(printed)
        .stderr(contains("left out 2 images that cannot be read: new/bad.jpg (the file is a GIF"));
    place.refuses("predict t.csv u.csv --checkpoint gone.safetensors", "cannot read gone.safetensors")
}

/// A safetensors file of tensors: name, type, shape, bytes.
fn safetensors(tensors: &[(&str, &str, &str, Vec<u8>)]) -> Vec<u8> {
    let (mut header, mut data) = (vec![], vec![]);
    for (name, of, shape, bytes) in tensors {
        let begin = data.len();
        data.extend(bytes);
        header.push(format!(r#""{name}":{{"dtype":"{of}","shape":{shape},"data_offsets":[{begin},{}]}}"#, data.len()));
    }
    let header = format!("{{{}}}", header.join(","));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

#[test]
fn parameters_as_pytorch_writes_them() -> Outcome {
    let place = Place::new()?;
    let shapes = ["[2,1]", "[2]", "[2,2]", "[2]"];
    let names = ["dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"];
    let numbers: [&[f32]; 4] = [&[1.0, -0.5], &[0.0, 0.25], &[1.0, 2.0, -1.0, 0.5], &[0.5, -2.0]];
    let of = |prefix: &str, names: [&str; 4], kind: &str, bytes: &dyn Fn(f32) -> Vec<u8>| {
        let all: Vec<_> = (0..4).map(|i| (format!("{prefix}{}", names[i]), shapes[i], numbers[i])).collect();
        let all: Vec<_> = all
            .iter()
            .map(|(name, shape, x)| (&**name, kind, *shape, x.iter().flat_map(|&x| bytes(x)).collect()))
            .collect();
        safetensors(&all)
    };
    let f32s = |x: f32| x.to_le_bytes().to_vec();
    // Halves with exact bits: sign, exponent and the first bits of the fraction.
    let bf16 = |x: f32| x.to_le_bytes()[2..].to_vec();
    let f16 = |x: f32| {
        let bits = x.to_bits();
        let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
        let half =
            if x == 0.0 { 0 } else { (bits >> 16 & 0x8000) as i32 | exponent << 10 | (bits >> 13 & 0x3ff) as i32 };
        (half as u16).to_le_bytes().to_vec()
    };
    let f64s = |x: f32| f64::from(x).to_le_bytes().to_vec();
    place.file("plain.safetensors", of("", names, "F32", &f32s))?;
    place.simloss("import --checkpoint plain.safetensors --out plain.model").success();
    let plain = fs::read(place.path("plain.model"))?;
    for (name, bytes, said) in [
        ("f16", of("", names, "F16", &f16), "numbers of F16 are read as 32 bits"),
        ("bf16", of("", names, "BF16", &bf16), "numbers of BF16 are read as 32 bits"),
        ("f64", of("", names, "F64", &f64s), "numbers of F64 are read as 32 bits"),
        ("module", of("module.", names, "F32", &f32s), "module. is taken off the names of the tensors"),
        ("compiled", of("_orig_mod.", names, "F32", &f32s), "_orig_mod. is taken off"),
    ] {
        place.file(&format!("{name}.safetensors"), bytes)?;
        place
            .simloss(&format!("import --checkpoint {name}.safetensors --out {name}.model"))
            .success()
            .stderr(contains(said));
        assert!(fs::read(place.path(&format!("{name}.model")))? == plain, "{name}");
    }
    place.file("i32.safetensors", of("", names, "I32", &f32s))?;
    let line = "import --checkpoint i32.safetensors --out x.model";
    place.refuses(line, "tensor dense1.weight is I32, not F32, F64, F16 or BF16")?;
    // Other names: what was found, and what should be there.
    let fc = of("", ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"], "F32", &f32s);
    place.file("fc.safetensors", fc)?;
    let line = "import --checkpoint fc.safetensors --out x.model";
    place.refuses(
        line,
        "fc1.bias [2], fc1.weight [2, 1], fc2.bias [2], fc2.weight [2, 2]; a network such as this has",
    )?;
    place.refuses(line, "has dense1.weight [2, 1], dense1.bias [2], dense2.weight [2, 2], dense2.bias [2]")?;
    for bytes in [&b"PK\x03\x04archive/data.pkl"[..], b"\x80\x02}q\x00."] {
        place.file("net.pt", bytes)?;
        place.refuses(
            "import --checkpoint net.pt --out x.model",
            "it is a pickle, as torch.save writes it; in Python, save it",
        )?;
    }
    // The scale of the features in 32 bits.
    let scale = [("standardise.mean", "F32", "[1]", f32s(0.5)), ("standardise.deviation", "F32", "[1]", f32s(2.0))];
    let all: Vec<_> =
        (0..4).map(|i| (names[i], "F32", shapes[i], numbers[i].iter().flat_map(|&x| f32s(x)).collect())).collect();
    place.file("scaled.safetensors", safetensors(&[&all[..], &scale].concat()))?;
    place
        .simloss("import --checkpoint scaled.safetensors --out scaled.model")
        .success()
        .stderr(contains("holds no standardise").not());
    let found = checkpoint::read(&place.path("scaled.model"))?.standardiser.ok_or("no scale")?;
    assert_eq!((found.mean(), found.deviation()), (&[0.5][..], &[2.0][..]));
    Ok(())
}

#[test]
fn files_beside_the_data() -> Outcome {
    let place = Place::new()?;
    let line = "similarity --similarity superclass -r 0.5 --superclasses s.csv";
    place.file("s.csv", "Class,note,SuperClass\ncat,x,pet\ndog,y,pet\noak,z,tree\n")?;
    place.simloss(&format!("{line} --names cat,dog,oak")).success();
    assert!(place.read("out/similarity/similarity.csv")?.contains("cat,1,0.5,0"));
    place.file("s.csv", "class,superclass\ncat,a\ndog,a\noak,a\n")?;
    place
        .simloss(&format!("{line} --names cat,dog,oak"))
        .success()
        .stderr(contains("the superclasses group nothing; all classes are of one superclass"));
    place.file("s.csv", "class,superclass\ncat,a\ndog,b\n")?;
    place.simloss(&format!("{line} --names cat,dog")).success().stderr(contains("a superclass of its own"));
    // Words of two words.
    place.file("v.txt", "\u{feff}dog 1 2 2.5\npolar bear 1 2 3\noak -1 0.5 0\n")?;
    place.file("names.txt", "polar bear\ndog\n")?;
    place.simloss("similarity --similarity vectors --vectors v.txt -l 0.5 --names @names.txt").success();
    assert!(place.read("out/similarity/similarity.csv")?.starts_with("true class,polar bear,dog\n"));
    Ok(())
}

#[test]
fn everything_that_is_wrong_is_said_at_once() -> Outcome {
    let place = Place::new()?;
    let rows: String = grades(30).iter().map(|(grade, [a, b])| format!("{grade},{a:.3},{b:.3}\n")).collect();
    place.file("good.csv", format!("grade,x1,x2\n{rows}"))?;
    place
        .simloss("check good.csv --label grade")
        .success()
        .stdout(contains("good.csv can be used as it is\n- 3 classes, ordered as listed: 0 (10), 1 (10), 2 (10)"));
    place.refuses("check good.csv", "a table needs --label")?;
    let bad = "0,1\n1,red,2\n2,?,\"1,376\"\n?,,3\n1,2,3,4\n";
    place.file("bad.csv", format!("grade,x1,x2\n{rows}{bad}"))?;
    let line = "check bad.csv --label grade";
    for problem in [
        "bad.csv cannot be used as it is; 6 problems:\n",
        "\n  bad.csv, line 32: the row has 2 fields, but the first row names 3 columns",
        "\n  bad.csv, line 36: the row has 4 fields",
        "\n  bad.csv, line 33, column \"x1\": \"red\" is not a number",
        "\n  bad.csv, line 34, column \"x1\": \"?\" stands for a missing value; fill it in, or remove the row or the column, or choose --missing drop or --missing median (2 of this column are missing)",
        "\n  bad.csv, line 34, column \"x2\": \"1,376\" may be one number or another",
        "\n  bad.csv, line 35, column \"grade\": the label \"?\" stands for a missing one",
    ] {
        place.refuses(line, problem)?;
    }
    images(&place, &["pets/cat", "pets/dog"], 3)?;
    place.simloss("check pets").success().stdout(contains("2 classes: cat (3), dog (3)"));
    write(&place.path("pets/cat/x.png"), b"BM")?;
    write(&place.path("pets/dog/y.jpg"), b"<html>")?;
    place.refuses("check pets", "pets cannot be used as it is; 2 problems:\n  cat/x.png: the file is a BMP image")?;
    place.refuses("check pets", "dog/y.jpg: the file is a web page, such as a failed download leaves")
}
