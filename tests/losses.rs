//! The losses that `simloss` compares: by name, by default, and what becomes of each in records, reports, `eval` and
//! `export`.

use crate::place::{Outcome, Place, grades};
use flate2::read::GzDecoder;
use predicates::{prelude::PredicateBooleanExt, str::contains};
use serde_json::Value;
use simloss_core::{Label, loss::Loss, similarity::OrderTable};
use simloss_train::{
    model::Model,
    report::records::Line,
    run::record::Record,
    similarity::spec::{LossDescription, LossKind, Truth},
};
use std::{collections::BTreeSet, error::Error, fs, io::Read};

const LINE: &str = "train table g.csv --label grade -r 0.5 --seeds 1 --epochs 3 --hidden 4 --out";

fn place() -> Result<Place, Box<dyn Error>> {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    Ok(place)
}

/// The folders of the losses of a comparison.
fn trained(place: &Place, out: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let folders = fs::read_dir(place.path(out).join("runs"))?;
    Ok(folders.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<std::io::Result<_>>()?)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn said(place: &Place, line: &str) -> Result<String, Box<dyn Error>> {
    let output = place.simloss(line).success().get_output().stdout.clone();
    Ok(String::from_utf8(output)?.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn losses_are_those_that_are_named() -> Outcome {
    let place = place()?;
    // Without a word, and by name.
    place.simloss(&format!("{LINE} a")).success();
    assert_eq!(trained(&place, "a")?, set(&["cross-entropy", "order-r0.5", "order-r0.5-proper"]));
    let printed = said(&place, &format!("{LINE} b --losses simloss,proper,sord,smoothing,emd"))?;
    let all = ["cross-entropy", "order-r0.5", "order-r0.5-proper", "order-r0.5-soft", "smoothing-0.1", "emd"];
    assert_eq!(trained(&place, "b")?, set(&all));
    for part in [
        "Similarity: class order, S = r^|i - j|.",
        " proper SimLoss r = 0.5 ",
        " SORD r = 0.5 ",
        " label smoothing 0.1 ",
        " squared EMD ",
        "SimLoss is not a proper scoring rule",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    // A sweep has all of them; which of them a class order of names cannot have is left out of it.
    place.simloss(&format!("{} c --list", LINE.replace("train", "sweep"))).success();
    let listed = said(&place, &format!("{} c --list", LINE.replace("train", "sweep")))?;
    assert!(all.iter().all(|loss| listed.contains(&format!("--only {loss}/seed-1"))), "{listed}");
    place
        .simloss(&format!("{LINE} d --losses none"))
        .success()
        .stdout(contains("Similarity: none, only cross entropy."));
    assert_eq!(trained(&place, "d")?, set(&["cross-entropy"]));
    // The older option beside it, and without it.
    place.simloss(&format!("{LINE} e --losses emd --baselines smoothing=0.2,soft=0.5")).success();
    assert_eq!(trained(&place, "e")?, set(&["cross-entropy", "emd", "order-r0.5-soft", "smoothing-0.2"]));
    let plain = "where probabilities matter, use proper simloss (--losses proper)";
    let printed = said(&place, &format!("{LINE} f --losses simloss"))?.to_lowercase();
    assert!(printed.contains(plain) && !printed.contains("proper simloss r ="), "{printed}");

    let load = |loss: &str| Record::load(&place.path(&format!("b/runs/{loss}/seed-1/record.json")));
    let of = |loss: &str| Ok::<_, Box<dyn Error>>((load(loss)?.loss.loss, load(loss)?.loss.truth));
    assert_eq!(of("order-r0.5-proper")?, (LossKind::Proper, Truth::Class));
    assert_eq!(of("order-r0.5-soft")?, (LossKind::SimLoss, Truth::Soft));
    assert_eq!(load("emd")?.loss, LossDescription::squared_emd());
    // The same similarity, and another loss.
    let [simloss, proper] = [load("order-r0.5")?, load("order-r0.5-proper")?];
    assert_eq!(simloss.loss.fingerprint, proper.loss.fingerprint);
    assert_ne!(simloss.epochs[0].train_loss, proper.epochs[0].train_loss);
    // Squared EMD is the ranked probability score.
    let emd = load("emd")?.result.ok_or("not finished")?.test.scores;
    let (loss, ranked) = (emd.loss.unwrap_or(0.0), emd.ranked.unwrap_or(1.0));
    assert!((loss - ranked).abs() < 1e-6, "{loss} {ranked}");
    Ok(())
}

#[test]
fn losses_that_do_not_fit_are_rejected_by_name() -> Outcome {
    let place = place()?;
    let named =
        grades().replace(",1\n", ",a\n").replace(",2\n", ",b\n").replace(",3\n", ",c\n").replace(",4\n", ",d\n");
    place.file("n.csv", named)?.file("s.csv", "class,superclass\na,low\nb,low\nc,high\nd,high\n")?;
    for (options, message) in [
        ("--losses sord,sord", "sord is given twice"),
        ("--losses cce", "the losses must be of simloss, proper, sord, smoothing and emd"),
        (
            "--losses smoothing --baselines smoothing=0.1",
            "label smoothing 0.1 is asked for by --losses and by --baselines; leave one of them out",
        ),
        ("--losses sord --baselines soft=0.5", "SORD r = 0.5 is asked for by --losses and by --baselines"),
    ] {
        place.refuses(&format!("{LINE} o {options}"), message)?;
    }
    let none = LINE.replace("-r 0.5", "--similarity none");
    for loss in ["simloss", "proper", "sord"] {
        let message = format!("--losses {loss} needs a similarity, which --similarity gives; or leave {loss} out");
        place.refuses(&format!("{none} o --losses {loss}"), &message)?;
    }
    let circle = LINE.replace("-r 0.5", "-r 0.5 --similarity circular");
    place.refuses(&format!("{circle} o --losses emd"), "with two ends, not in a circle")?;
    let groups =
        "train table n.csv --label grade --similarity superclass --superclasses s.csv -r 0.5 --seeds 1 --epochs 1";
    place.refuses(&format!("{groups} --out o --losses emd"), "--losses emd needs classes in an order")?;
    // By themselves they are what fits.
    let sweep = groups.replace("train", "sweep");
    let printed = said(&place, &format!("{sweep} --out p"))?;
    assert!(printed.contains("proper SimLoss r = 0.5") && !printed.contains("squared EMD"), "{printed}");
    assert!(trained(&place, "p")?.contains("superclass-r0.5-proper"));
    Ok(())
}

/// Classes 1 and 2 are alike, and 2 and 3, but not 1 and 3.
const BAND: &str = "1,.5,0,0\n.5,1,.5,0\n0,.5,1,.5\n0,0,.5,1\n";

#[test]
fn similarities_without_a_proper_rule_are_named() -> Outcome {
    let place = place()?;
    place.file("band.csv", BAND)?.file("lopsided.csv", "1,.5,0,0\n.4,1,.5,0\n0,.5,1,.5\n0,0,.5,1\n")?;
    let line = LINE.replace("-r 0.5", "--similarity band.csv");
    let why = "band.csv is not proper, by the check (class \"1\" fails); use --link exp or --link hull";
    place
        .simloss(&format!("{line} a"))
        .success()
        .stderr(contains(why).and(contains("proper SimLoss is left out there")));
    assert_eq!(trained(&place, "a")?, set(&["cross-entropy", "file"]));
    place.refuses(&format!("{line} b --losses simloss,proper"), why)?;
    place.refuses(
        &format!("{} b --losses proper", line.replace("band", "lopsided")),
        "classes \"1\" and \"2\" have two similarities",
    )?;
    // Above the greater similarities nothing is left that fails.
    let two = "1,.6,.1,0\n.6,1,.5,0\n.1,.5,1,.1\n0,0,.1,1\n";
    place.file("two.csv", two)?;
    let line = format!("{} c -l 0,0.5 --losses proper", LINE.replace("-r 0.5", "--similarity two.csv"));
    place.simloss(&line).success().stderr(contains("two.csv is not proper at l = 0, by the check (class \"1\" fails)"));
    assert_eq!(trained(&place, "c")?, set(&["cross-entropy", "file-l0.5-proper"]));

    // Both of what the message says.
    let line = LINE.replace("-r 0.5", "--similarity band.csv");
    let printed = said(&place, &format!("{line} d --link exp -b 1,2.5 --losses simloss,proper"))?;
    assert_eq!(
        trained(&place, "d")?,
        set(&["cross-entropy", "file-b1", "file-b2.5", "file-b1-proper", "file-b2.5-proper"])
    );
    assert!(printed.contains("proper SimLoss b = ") && printed.contains("S = exp(b (s - 1))"), "{printed}");
    let printed = said(&place, &format!("{line} e --link hull"))?;
    assert_eq!(trained(&place, "e")?, set(&["cross-entropy", "file-hull-l0", "file-hull-l0-proper"]));
    assert!(printed.contains("hull, l = 0"), "{printed}");
    let load = |run: &str| Record::load(&place.path(run).join("seed-1/record.json"));
    assert_eq!(load("d/runs/file-b1-proper")?.loss.lower_bound, None);
    // What is finished is read, whichever link it is of.
    place.simloss(&format!("{line} d --link exp -b 1,2.5 --losses simloss,proper --resume")).success();
    place.refuses(&format!("{line} d --link exp -b 1,2.5 --losses simloss,proper"), "already holds a run")?;
    for (options, message) in [
        ("-b 1", "-b, --steepness belongs to --link exp"),
        ("--link exp -l 0.5", "-l, --lower-bound has no effect with --link exp"),
        ("--link exp -b 0", "the steepness b must be a number above 0"),
        ("--link exp -b 1,1", "-b 1 is given twice"),
        ("--link cube", "invalid value 'cube'"),
    ] {
        place.refuses(&format!("{line} o {options}"), message)?;
    }
    place.refuses(&format!("{LINE} o --link hull"), "--link has no effect with --similarity order")?;
    place.refuses(
        &format!("{} o --link hull", line.replace("band", "lopsided")),
        "the similarity of classes \"1\" and \"2\" is [0.5, 0.4], depending on which is the true one",
    )
}

#[test]
fn a_similarity_says_whether_it_is_proper() -> Outcome {
    let place = Place::new()?;
    place.file("band.csv", BAND)?.file("groups.csv", "class,superclass\na,x\nb,x\nc,y\n")?;
    place.file("v.txt", "a 1 0\nb 3 4\nc 0 1\n")?;
    for (options, expected) in [
        ("-r 0.5 --classes 4", "proper yes, strictly, as every class order"),
        ("-r 0.1 --classes 90", "proper yes, but not strictly: the smallest powers of r are 0 in 32 bits"),
        ("-r 0.5 --classes 5 --similarity circular", "proper yes, strictly, by the check of its entries"),
        (
            "-r 0.5 --similarity superclass --superclasses groups.csv",
            "proper yes, strictly, as superclasses always are",
        ),
        ("--similarity band.csv --names a,b,c,d", "proper no, by the check: class \"a\" fails"),
        ("--similarity band.csv --link hull", "similarity band.csv, hull, l = 0 "),
        ("--similarity band.csv --link hull", "proper yes, strictly, by the check of its entries"),
        ("--similarity vectors --vectors v.txt --link exp", "vectors, b = 1 "),
        ("--similarity vectors --vectors v.txt --link exp -b 2", "proper yes, strictly, by the check of its entries"),
        ("--similarity vectors --vectors v.txt -l 0.5", "proper no, by the check: class \"a\" fails"),
    ] {
        let printed = said(&place, &format!("similarity {options}"))?;
        assert!(printed.contains(expected), "{options}: {printed}");
    }
    // exp(2 (0.6 - 1)) and exp(2 (0 - 1)).
    place.simloss("similarity --similarity vectors --vectors v.txt --link exp -b 2").success();
    let rows = place.read("out/similarity/similarity.csv")?;
    let first: Vec<f64> =
        rows.lines().nth(1).into_iter().flat_map(|r| r.split(',').skip(1)).flat_map(str::parse).collect();
    let expected = [1.0, (-0.8f64).exp(), (-2.0f64).exp()];
    assert!(first.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-7) && first.len() == 3, "{rows}");
    assert!(place.read("out/similarity/similarity.html")?.contains("Proper"));
    Ok(())
}

fn json(place: &Place, line: &str) -> Result<Value, Box<dyn Error>> {
    let output = place.simloss(line).success().get_output().stdout.clone();
    Ok(serde_json::from_slice(&output)?)
}

#[test]
fn networks_are_evaluated_with_their_training_loss() -> Outcome {
    let place = place()?;
    place.simloss(&format!("{LINE} o --losses simloss,proper,sord,smoothing,emd")).success();
    let of = |loss: &str| format!("eval table g.csv --label grade --checkpoint o/runs/{loss}/seed-1/model.safetensors");
    let proper = of("order-r0.5-proper");
    place.simloss(&proper).success().stdout(contains("loss (proper, order, r = 0.5)"));
    place.simloss(&of("emd")).success().stdout(contains("loss (squared EMD)"));
    place.simloss(&of("order-r0.5")).success().stdout(contains("loss (order, r = 0.5)"));
    for loss in ["order-r0.5-soft", "smoothing-0.1"] {
        let note = "the loss below is cross entropy of the classes; the network was trained with cross entropy with ";
        place.simloss(&of(loss)).success().stdout(contains("loss (none)")).stderr(contains(note));
    }
    // One network, by every loss.
    let loss = |options: &str| -> Result<(f64, Value), Box<dyn Error>> {
        let value = json(&place, &format!("{proper} --json {options}"))?;
        Ok((value["loss"].as_f64().ok_or("no loss")?, value))
    };
    let (own, value) = loss("")?;
    assert_eq!(
        (&value["similarity"]["loss"], &value["similarity"]["reduction_factor"]),
        (&"proper".into(), &0.5.into())
    );
    let ranked = value["scores"]["scores"]["ranked"].as_f64().ok_or("no score")?;
    assert!((loss("--loss emd")?.0 - ranked).abs() < 1e-6);
    let nll = value["scores"]["scores"]["likelihood"].as_f64().ok_or("no score")?;
    assert_eq!(loss("--loss cross-entropy")?.0, nll);
    let (simloss, value) = loss("--loss simloss")?;
    assert!(value["similarity"]["loss"].is_null() && simloss != own);
    // As r approaches 1 it is the ranked probability score, but for a factor.
    let (near, _) = loss("--similarity order -r 0.9999")?;
    assert!((near / 2e-4 / ranked - 1.0).abs() < 1e-3, "{near} {ranked}");
    for (options, message) in [
        ("--loss emd --similarity order -r 0.5", "a similarity has no effect with --loss cross-entropy and --loss emd"),
        ("--loss fast", "invalid value 'fast'"),
    ] {
        place.refuses(&format!("{proper} {options}"), message)?;
    }
    place.refuses(&format!("{} --loss proper", of("cross-entropy")), "the network was trained without a similarity")
}

#[test]
fn a_head_keeps_its_training_loss() -> Outcome {
    let place = place()?;
    place.file("groups.csv", "class,superclass\n1,x\n2,x\n3,y\n4,y\n")?.file("band.csv", BAND)?;
    place.simloss(&format!("{LINE} o --losses simloss,proper,sord,smoothing,emd")).success();
    let groups = LINE.replace("-r 0.5", "-r 0.25 --similarity superclass --superclasses groups.csv");
    place.simloss(&format!("{groups} p")).success();
    let exp = LINE.replace("-r 0.5", "--similarity band.csv --link exp");
    place.simloss(&format!("{exp} q")).success();
    let export = |run: &str| format!("export --checkpoint {run}/seed-1/model.safetensors --head 1 --out head");
    let order = "OrderTable::in_memory(table, CLASSES, T::from_f32(0.5))?;";
    // 2 (4 features + 4 classes) numbers for the step; the loss's own beside them.
    for (run, words, parts, values, table) in [
        ("o/runs/cross-entropy", "with cross entropy;", &["CrossEntropy::new(CLASSES)"][..], 8, 0),
        ("o/runs/order-r0.5", "with SimLoss (order, r = 0.5);", &[order, "SimLoss::new(s)"], 8, 7),
        (
            "o/runs/order-r0.5-proper",
            "with proper SimLoss (order, r = 0.5);",
            &[order, "loss::ProperSimLoss::new(s)"],
            24,
            7,
        ),
        ("o/runs/emd", "with squared EMD;", &["SquaredEmd::new(CLASSES)"], 16, 0),
        (
            "o/runs/smoothing-0.1",
            "with cross entropy with label smoothing 0.1;",
            &["pub const LABEL_SMOOTHING: f32 = 0.1;", "CrossEntropy::new(CLASSES)"],
            16,
            0,
        ),
        (
            "o/runs/order-r0.5-soft",
            "with cross entropy with soft labels (order, r = 0.5);",
            &["pub fn similarity<T", "CrossEntropy::new(CLASSES)", "T::from_f32(0.5))\n}"],
            16,
            7,
        ),
        ("p/runs/superclass-r0.25", "with SimLoss (superclass, r = 0.25);", &["DenseTable::in_memory(table,"], 8, 16),
        (
            "p/runs/superclass-r0.25-proper",
            "with proper SimLoss (superclass, r = 0.25);",
            &[
                "PARENTS: [u16; 7] = [4, 4, 5, 5, 6, 6, 6];",
                "[T::ONE, T::from_f32(0.25), T::ZERO]",
                "ProperSimLoss::new(s)",
            ],
            0,
            0,
        ),
    ] {
        place.simloss(&export(run)).success().stdout(contains(words));
        let module = place.read("head/head.rs")?;
        assert!(parts.iter().all(|part| module.contains(part)), "{run}: {module}");
        assert!(module.contains(&format!("pub const TABLE: usize = {table};")), "{run}: {module}");
        if values > 0 {
            assert!(module.contains(&format!("pub const VALUES: usize = {values};")), "{run}: {module}");
        }
    }
    // An option says otherwise, and a matrix is not kept by a model.
    place.simloss(&format!("{} --loss cross-entropy", export("o/runs/order-r0.5-proper"))).success();
    assert!(place.read("head/head.rs")?.contains("CrossEntropy::new(CLASSES)"));
    place.simloss(&format!("{} --loss simloss", export("o/runs/order-r0.5-proper"))).success();
    assert!(place.read("head/head.rs")?.contains("loss::SimLoss::new(s)"));
    fs::remove_dir_all(place.path("head"))?;
    place.refuses(
        &export("q/runs/file-b1"),
        "the network was trained with SimLoss (band.csv, b = 1), and its file does not hold that similarity; give it with",
    )?;
    let given = "--similarity band.csv --link exp -b 1";
    place.refuses(
        &format!("{} {given}", export("q/runs/file-b1-proper")),
        "proper SimLoss of band.csv cannot be exported: whenever it starts, the device would have to check that it is proper",
    )?;
    place.simloss(&format!("{} {given}", export("q/runs/file-b1"))).success();
    assert!(place.read("head/head.rs")?.contains("DenseTable::exponential_in_memory(table, CLASSES, |i, j|"));
    place.refuses(
        "export --checkpoint o/runs/emd/seed-1/model.safetensors --loss emd --out x",
        "--loss has no effect without",
    )
}

/// The modules of other losses, compiled here as a firmware compiles them.
#[allow(dead_code)] // which takes what it needs
mod modules {
    pub mod proper {
        include!("golden/head-proper.rs");
    }
    pub mod superclass {
        include!("golden/head-superclass.rs");
    }
    pub mod emd {
        include!("golden/head-emd.rs");
    }
    pub mod soft {
        include!("golden/head-soft.rs");
    }
}

#[test]
fn exported_modules_of_every_loss_compile() -> Outcome {
    let place = Place::new()?;
    let network = simloss_train::compute::network::Kind::Table { inputs: 4, hidden: vec![5], classes: 3 };
    let parameters: Vec<f32> = (0..43).map(|i| (i as f32 - 20.5) / 7.0).collect();
    let order = LossDescription {
        similarity: "order".to_owned(),
        reduction_factor: Some(0.5),
        ..LossDescription::cross_entropy()
    };
    let proper = LossDescription { loss: LossKind::Proper, ..order.clone() };
    let superclass = LossDescription { similarity: "superclass".to_owned(), ..proper.clone() };
    let soft = LossDescription { truth: Truth::Soft, ..order };
    for (name, loss, groups, expected) in [
        ("proper", proper, vec![], include_str!("golden/head-proper.rs")),
        ("superclass", superclass, vec![0, 0, 1], include_str!("golden/head-superclass.rs")),
        ("emd", LossDescription::squared_emd(), vec![], include_str!("golden/head-emd.rs")),
        ("soft", soft, vec![], include_str!("golden/head-soft.rs")),
    ] {
        let model = Model {
            version: "0.1.0".to_owned(),
            network: network.clone(),
            class_names: ["1", "2", "3"].map(str::to_owned).to_vec(),
            class_values: vec![1.0, 2.0, 3.0],
            ordered: true,
            features: vec![],
            columns: vec![],
            standardiser: None,
            loss,
            groups,
            parameters: parameters.clone(),
        };
        model.save(&place.path("m.safetensors"))?;
        place.simloss(&format!("export --checkpoint m.safetensors --head 2 --out {name}")).success();
        let found = place.read(&format!("{name}/head.rs"))?;
        // Written anew where that names a folder.
        if let Some(folder) = std::env::var_os("SIMLOSS_GOLDEN_HEADS") {
            fs::write(std::path::Path::new(&folder).join(format!("head-{name}.rs")), &found)?;
            continue;
        }
        assert_eq!(found, expected, "{name}");
    }
    let (logits, y) = ([0.5f32, 0.25, -1.0], Label::new(0, 3)?);
    type Of<'a> = &'a dyn Fn(&mut [f32], &mut [f32]) -> Result<f32, simloss_core::Error>;
    let value = |loss: Of<'_>| loss(&mut [0.0; 64], &mut [0.0; 3]);
    let s = OrderTable::in_memory([0.0f32; 5], 3, 0.5)?;
    let desktop = simloss_core::loss::ProperSimLoss::new(&s);
    let mut table = [0.0f32; modules::proper::TABLE];
    let device = modules::proper::loss(&mut table)?;
    assert_eq!(
        value(&|scratch, work| device.value_of_slice(&logits, y, scratch, work))?,
        value(&|scratch, work| desktop.value_of_slice(&logits, y, scratch, work))?
    );
    assert_eq!(modules::proper::VALUES, 2 * (5 + 3) + 4 * 3);
    let device = modules::superclass::loss::<f32>(&mut [])?;
    let found = value(&|scratch, work| device.value_of_slice(&logits, y, scratch, work))?;
    // By the formula: q = S p for the groups {0, 1} and {2} at 0.5.
    let e = logits.map(|z| f64::from(z).exp());
    let p = e.map(|x| x / e.iter().sum::<f64>());
    let q = [p[0] + 0.5 * p[1], 0.5 * p[0] + p[1], p[2]];
    let expected = -q[0].ln() + 1.0 - p[0] / q[0] - 0.5 * p[1] / q[1];
    assert!((f64::from(found) - expected).abs() < 1e-6, "{found} {expected}");
    let device = modules::emd::loss::<f32>(&mut [])?;
    let found = value(&|scratch, work| device.value_of_slice(&logits, y, scratch, work))?;
    assert!((f64::from(found) - ((p[1] + p[2]).powi(2) + p[2].powi(2))).abs() < 1e-6);
    let mut table = [0.0f32; modules::soft::TABLE];
    let (similarity, mut target) = (modules::soft::similarity(&mut table)?, [0.0; 3]);
    simloss_core::loss::soft_label_into(&similarity, y, &mut [], &mut target)?;
    assert_eq!(target, [4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0]);
    assert!(modules::soft::loss::<f32>(&mut []).is_ok());
    Ok(())
}

#[test]
fn runs_keep_the_predictions_for_test_samples() -> Outcome {
    let place = place()?;
    place.simloss(&format!("{LINE} o --losses proper")).success();
    let run = "o/runs/order-r0.5-proper/seed-1";
    let mut rows = String::new();
    let path = place.path(&format!("{run}/samples.csv.gz"));
    GzDecoder::new(fs::File::open(&path)?).read_to_string(&mut rows)?;
    let mut lines = rows.lines();
    assert_eq!(lines.next(), Some("sample,label,argmax,median,p"));
    let test = Record::load(&place.path(run).join("record.json"))?.result.ok_or("not finished")?.test;
    let (mut hits, mut middle, mut nll, mut seen) = (0.0, 0.0, 0.0, BTreeSet::new());
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let [sample, label, argmax, median, p] = fields[..] else { return Err(line.to_string().into()) };
        // The data are four grades in turn.
        assert_eq!(sample.parse::<usize>()? % 4, label.parse::<usize>()?);
        seen.insert(sample.to_owned());
        hits += f64::from(u8::from(label == argmax));
        middle += f64::from(u8::from(label == median));
        nll -= p.parse::<f64>()?.ln();
    }
    let n = test.confusion.iter().flatten().sum::<u64>() as f64;
    assert_eq!(seen.len() as f64, n);
    assert_eq!((Some(hits / n), Some(middle / n)), (test.scores.argmax.accuracy, test.median.accuracy));
    assert!((nll / n - test.scores.likelihood.unwrap_or(0.0)).abs() < 1e-5);

    // In a published record: bins before and after scaling, and the mean prediction of every class.
    place.simloss("report o --record r.json").success();
    let text = place.read("r.json")?;
    let records: Vec<Line> = serde_json::from_str(&text)?;
    let line = records.iter().find(|line| line.loss == LossKind::Proper).ok_or("no such line")?;
    for bins in [&line.reliability, &line.reliability_scaled] {
        let bins = bins.as_ref().ok_or("no bins")?;
        assert_eq!((bins.samples.len(), bins.right.len(), bins.confidence.len()), (15, 15, 15));
        assert_eq!(bins.samples.iter().sum::<u64>() as f64, n);
        assert_eq!(bins.right.iter().sum::<u64>() as f64, hits);
        // Each mean is in its bin.
        for (i, (&n, &x)) in bins.samples.iter().zip(&bins.confidence).enumerate().filter(|(_, (n, _))| **n > 0) {
            assert!(n > 0 && (f64::from(x) / 1e4 * 15.0 - i as f64 - 0.5).abs() < 0.51, "{i}: {x}");
        }
    }
    let means = line.mean_predictions.as_ref().ok_or("no predictions")?;
    assert_eq!(means.keys().map(String::as_str).collect::<Vec<_>>(), ["1", "2", "3", "4"]);
    assert!(means.values().all(|p| p.len() == 4 && p.iter().sum::<u32>().abs_diff(10_000) < 4), "{means:?}");
    assert!(line.test.contains_key("rps"));

    // What a version before did not keep is computed where there is a model, and done without where there is none.
    let details = place.path(&format!("{run}/details.json"));
    let (before, bytes) = (fs::read_to_string(&details)?, fs::read(&path)?);
    let mut old: Value = serde_json::from_str(&before)?;
    let fields = old.as_object_mut().ok_or("no object")?;
    assert!(fields.remove("mean_predictions").is_some() && fields.remove("samples").is_some());
    fs::write(&details, serde_json::to_string_pretty(&old)?)?;
    fs::remove_file(&path)?;
    place.simloss(&format!("{LINE} o --resume")).success();
    assert_eq!((fs::read_to_string(&details)?, fs::read(&path)?), (before, bytes));
    fs::write(&details, serde_json::to_string_pretty(&old)?)?;
    fs::remove_file(&path)?;
    fs::remove_file(place.path(&format!("{run}/model.safetensors")))?;
    place.simloss("report o --record r.json").success();
    let records: Vec<Line> = serde_json::from_str(&place.read("r.json")?)?;
    let line = records.iter().find(|line| line.loss == LossKind::Proper).ok_or("no such line")?;
    assert!(line.mean_predictions.is_none() && line.reliability.is_some());
    // And a line of before.
    let old = text.lines().nth(1).ok_or("no line")?.trim_end_matches(',');
    let mut old: Value = serde_json::from_str(old)?;
    let fields = old.as_object_mut().ok_or("no object")?;
    for name in ["reliability", "reliability_scaled", "mean_predictions"] {
        assert!(fields.remove(name).is_some(), "{name}");
    }
    assert!(serde_json::from_value::<Line>(old)?.reliability.is_none());
    Ok(())
}

#[test]
fn old_comparisons_keep_their_losses() -> Outcome {
    let place = place()?;
    place.simloss(&format!("{LINE} o --losses simloss")).success();
    // As a version wrote it that read the data again.
    let path = place.path("o/comparison.json");
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    assert!(manifest.as_object_mut().ok_or("no object")?.remove("facts").is_some());
    fs::write(&path, serde_json::to_string_pretty(&manifest)?)?;
    let printed = said(&place, "report o")?;
    assert!(!printed.contains("are finished") && !printed.contains("proper SimLoss r ="), "{printed}");
    // Whoever goes on with it gets what is there now.
    place.simloss(&format!("{LINE} o --resume")).success();
    assert_eq!(trained(&place, "o")?, set(&["cross-entropy", "order-r0.5", "order-r0.5-proper"]));
    Ok(())
}
