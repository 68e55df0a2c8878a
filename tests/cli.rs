//! The binary `simloss`, from outside: what it writes, what it refuses, and what it says.

use crate::place::{Outcome, Place, files};
use assert_cmd::Command;
use predicates::{prelude::PredicateBooleanExt, str::contains};
use std::{error::Error, fmt::Write, fs, path::PathBuf, time::Duration};

/// Four grades that two columns tell apart, most of the time; always the same.
fn grades() -> String {
    let mut text = "length,width,grade\n".to_owned();
    for i in 0..80u32 {
        let (grade, jitter) = (i % 4, f64::from(i * 7919 % 31) / 31.0 - 0.5);
        let _ = writeln!(text, "{:.4},{:.4},{}", f64::from(grade) + 1.5 * jitter, jitter - f64::from(i % 3), grade + 1);
    }
    text
}

/// The same with names for grades.
fn named() -> String {
    let text = grades();
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        let (rest, grade) = line.rsplit_once(',').unwrap_or_default();
        let name = ["poor", "fair", "good", "<b>best"][grade.parse::<usize>().unwrap_or(1) - 1];
        let _ = write!(out, "\n{rest},{name}");
    }
    out + "\n"
}

const SMALL: &str = "--seeds 2 --epochs 4 -r 0.3,0.6 --hidden 8";

#[test]
fn without_a_command_it_is_the_demo() -> Outcome {
    let place = Place::new()?;
    place
        .simloss("--seeds 2 --epochs 3 -r 0.5")
        .success()
        .stdout(contains("1,599 samples, 11 features, 6 classes. 2 seeds;"))
        .stdout(contains("cross entropy  ").and(contains("r = 0.5")))
        .stdout(contains("Always predicting the most frequent class reaches 42.4% accuracy"))
        .stdout(contains("3 (10), 8 (18)").and(contains("240 of 1,599 samples repeat")))
        .stdout(contains("not a proper scoring rule"))
        .stdout(contains("out/demo/report.html"));
    let first = place.read("out/demo/report.html")?;
    // Its own folder is replaced without asking, by the same bytes.
    place.simloss("demo --seeds 2 --epochs 3 -r 0.5").success();
    assert_eq!(place.read("out/demo/report.html")?, first);
    // A folder that was named is not.
    place.refuses("demo --seeds 2 --epochs 3 -r 0.5 --out out/demo", "out/demo already holds a run; add --resume")?;
    place.simloss("demo --seeds 1 --epochs 3 -r 0.5 --out out/demo --overwrite").success();
    // Cross entropy, SimLoss and proper SimLoss: record, model, state, details, samples and the lock of each.
    assert_eq!(files(&place.path("out/demo/runs"))?.len(), 3 * 6);
    Ok(())
}

#[test]
fn a_table_of_ones_own() -> Outcome {
    let place = Place::new()?;
    place.file("my grades.csv", grades())?.file("g.csv", grades())?;
    let line = format!("train table g.csv --label grade --out a {SMALL}");
    place
        .simloss(&line)
        .success()
        .stdout(contains("cross entropy: g.csv").and(contains("80 samples, 2 features, 4 classes")));
    let results = place.read("a/results.csv")?;
    assert_eq!(results.lines().count(), 1 + 2 * 5, "{results}");
    assert!(results.starts_with("loss,seed,best_epoch,accuracy,mae,mae_expectation,mse,nll,ece\n"), "{results}");
    for file in ["record.json", "model.safetensors"] {
        assert!(place.path("a/runs/order-r0.3/seed-2").join(file).exists(), "{file}");
    }
    // Finished runs are read, not computed: removing what is not needed for that changes nothing.
    place.simloss(&format!("{line} --resume")).success();
    assert_eq!(place.read("a/results.csv")?, results);
    place.refuses(&format!("{line} --resume --rate 0.1"), "another --learning-rate")?;
    // More seeds are added to those that are there.
    place.simloss(&format!("{} --resume", line.replace("--seeds 2", "--seeds 3"))).success();
    let more = place.read("a/results.csv")?;
    assert_eq!(more.lines().count(), 1 + 3 * 5, "{more}");
    assert!(results.lines().all(|row| more.contains(row)), "{more}");
    place.simloss(&format!("{line} --resume")).success();
    place.refuses(&line, "already holds a run")?;
    // The number of threads changes no byte.
    let one = format!("train table g.csv --label grade --out b {SMALL} --threads 1");
    place.simloss(&one).success();
    assert_eq!(place.read("b/results.csv")?, results);
    assert_eq!(place.read("a/report.html")?, place.read("b/report.html")?);
    Ok(())
}

/// What the reports show follows from `results.csv`, computed here once more.
#[test]
fn means_and_spreads_are_those_of_the_runs() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    place.simloss(&format!("train table g.csv --label grade --out o {}", SMALL.replace("2", "3"))).success();
    let (results, page, table) =
        (place.read("o/results.csv")?, place.read("o/report.html")?, place.read("o/report.md")?);
    for loss in ["cross entropy", "SimLoss r = 0.6"] {
        let rows: Vec<Vec<&str>> =
            results.lines().map(|row| row.split(',').collect()).filter(|row: &Vec<&str>| row[0] == loss).collect();
        assert_eq!(rows.len(), 3, "{results}");
        let column = |i: usize| -> Result<(f64, f64), Box<dyn Error>> {
            let x = rows.iter().map(|row| row[i].parse()).collect::<Result<Vec<f64>, _>>()?;
            let mean = (x[0] + x[1] + x[2]) / 3.0;
            let squares: f64 = x.iter().map(|x| (x - mean).powi(2)).sum();
            Ok((mean, (squares / 2.0).sqrt()))
        };
        let ((accuracy, spread), (error, wide)) = (column(3)?, column(4)?);
        let row = table.lines().find(|row| row.starts_with(&format!("| {loss} | 3 |"))).ok_or("no such row")?;
        for expected in [format!("{:.1} ± {:.1}%", 100.0 * accuracy, 100.0 * spread), format!("{error:.3} ± {wide:.3}")]
        {
            assert!(row.contains(&expected), "{expected}: {row}");
            assert!(page.contains(&expected), "{expected}");
        }
    }
    Ok(())
}

#[test]
fn a_record_is_drawn() -> Outcome {
    let place = Place::new()?;
    let record = |name: &str| format!("{}/../docs/records/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let (wine, grids) = (record("wine"), record("cifar100"));
    place
        .simloss(&format!("plot {wine} --metric nll,mae_median --out p.svg"))
        .success()
        .stdout(contains("Wrote p.svg"));
    let picture = place.read("p.svg")?;
    assert!(picture.starts_with("<svg ") && picture.contains("prefers-color-scheme: dark"), "{picture}");
    for text in ["NLL", "MAE of the median", "reduction factor r", "proper SimLoss", "squared EMD"] {
        assert!(picture.contains(&format!("\n{text}\n")), "{text}");
    }
    place.simloss(&format!("plot {grids} --comparison glove --metric fsa --out q.svg")).success();
    assert!(place.read("q.svg")?.contains("\nlower bound l\n"));
    place.refuses(
        &format!("plot {wine} --metric speed --out r.svg"),
        "the record has no metric speed; choose one of acc",
    )?;
    place.refuses(&format!("plot {grids} --out r.svg"), "holds the comparisons glove, ")?;
    place
        .refuses(&format!("plot {wine} --comparison x --out r.svg"), "holds the comparisons order; choose one with")?;
    place.file("r.json", "{}")?.refuses("plot r.json --out r.svg", "r.json is not a record of runs")?;
    place.refuses("plot r.json --out r.json", "r.json")?;
    assert!(!place.path("r.svg").exists() && place.read("r.json")? == "{}");
    Ok(())
}

#[test]
fn only_what_a_comparison_wrote_is_removed() -> Outcome {
    let place = Place::new()?;
    fs::create_dir_all(place.path("mine/runs"))?;
    place.file("mine/runs/diary.txt", "6 km")?;
    for option in ["", "--overwrite", "--resume"] {
        let message = "mine/runs is there already, but not from a comparison; give another output folder";
        place.refuses(&format!("demo --seeds 1 --epochs 1 --out mine {option}"), message)?;
    }
    place.file("notes.txt", "keep")?;
    place.simloss("demo --seeds 1 --epochs 1 -r 0.5 --out .").success();
    place.refuses("demo --seeds 1 --epochs 1 -r 0.5 --out .", "already holds a run")?;
    place.simloss("demo --seeds 1 --epochs 1 -r 0.5 --out . --overwrite").success();
    assert_eq!((place.read("notes.txt")?, place.read("mine/runs/diary.txt")?), ("keep".into(), "6 km".into()));
    Ok(())
}

#[test]
fn the_report_is_one_file_and_escapes_names() -> Outcome {
    let place = Place::new()?;
    place.file("n.csv", named())?;
    place.simloss(&format!("train table n.csv --label grade --order poor,fair,good,<b>best --out o {SMALL}")).success();
    let page = place.read("o/report.html")?;
    assert!(page.contains("&#60;b&#62;best") || page.contains("&lt;b&gt;best"), "the name is there");
    assert!(!page.contains("<b>best"), "a name became markup");
    let fetched = ["src=", "href=\"http", "url(", "@import", "<script", "<link"];
    assert_eq!(fetched.iter().find(|what| page.contains(**what)), None, "the page fetches something");
    for needed in
        ["<html lang=\"en\">", "<main>", "scope=\"row\"", "prefers-color-scheme: dark", "@media print", "<svg"]
    {
        assert!(page.contains(needed), "{needed}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf "), "a number is not one");
    Ok(())
}

#[test]
fn every_similarity_trains() -> Outcome {
    let place = Place::new()?;
    place.file("n.csv", named())?.file("g.csv", grades())?;
    place.file("groups.csv", "class,superclass\npoor,bad\nfair,bad\ngood,fine\n<b>best,fine\n")?;
    place.file(
        "s.csv",
        ",fair,poor,good,<b>best\nfair,1,.5,.5,0\npoor,.5,1,0,-.1\ngood,0,.5,1,.5\n<b>best,0,0,.5,1.00001\n",
    )?;
    let names = "train table n.csv --label grade --seeds 2 --epochs 2 --hidden 4";
    place
        .simloss(&format!("{names} --out 1 --similarity superclass --superclasses groups.csv -r 0.5"))
        .success()
        .stdout(contains("FSA").and(contains("MAE").not()));
    place
        .simloss(&format!("{names} --out 2 --similarity s.csv -l 0.1,0.2"))
        .success()
        .stdout(contains("SimLoss l = 0.").and(contains("\nsimilarity ")))
        .stderr(contains("note: s.csv: the similarity of a class with itself is taken as 1"));
    place.refuses(&format!("{names} --out 3 --similarity s.csv"), "-0.1, outside [0, 1]; -l, --lower-bound turns")?;
    place
        .simloss(&format!("{names} --out 4 --similarity none"))
        .success()
        .stdout(contains("Similarity: none, only cross entropy."));
    place
        .simloss("train table g.csv --label grade --seeds 2 --epochs 2 --out 5 --similarity circular -r 0.5")
        .success()
        .stdout(contains("circular error").and(contains("MAE").not()));
    Ok(())
}

#[test]
fn a_similarity_is_built_described_and_drawn() -> Outcome {
    let place = Place::new()?;
    place
        .simloss("similarity --similarity circular -r 0.5 --names dawn,day,dusk,night")
        .success()
        .stdout(contains("row sums").and(contains("from 2.250 to 2.250")))
        .stdout(contains("symmetric").and(contains("dawn and day (0.500)")));
    let table = place.read("out/similarity/similarity.csv")?;
    assert_eq!(
        table,
        "true class,dawn,day,dusk,night\ndawn,1,0.5,0.25,0.5\nday,0.5,1,0.5,0.25\ndusk,0.25,0.5,1,0.5\n\
         night,0.5,0.25,0.5,1\n"
    );
    assert!(place.read("out/similarity/similarity.html")?.contains("<svg"));
    // What was written can be read, in any order of the classes.
    place
        .simloss("similarity --similarity out/similarity/similarity.csv --names night,dusk,day,dawn --out again")
        .success();
    let again = place.read("again/similarity.csv")?;
    assert!(again.starts_with("true class,night,dusk,day,dawn\nnight,1,0.5,0.25,0.5\n"), "{again}");
    place.simloss("similarity -r 0.9 --classes 300 --out large").success().stdout(contains("classes        300"));
    Ok(())
}

#[test]
fn bad_tables() -> Outcome {
    let place = Place::new()?;
    for (name, text, message) in [
        ("empty.csv", "", "empty.csv: the file is empty"),
        ("header.csv", "x,grade\n", "header.csv: there are no samples below the names of the columns"),
        ("ragged.csv", "x,grade\n1,2\n1,2,3\n", "ragged.csv, line 3: the row has 3 fields, but the first row names 2"),
        (
            "text.csv",
            "x,grade\n1,2\nred,3\n",
            "text.csv, line 3, column \"x\": \"red\" is not a number; leave columns of text",
        ),
        ("nan.csv", "x,grade\n1,2\nNaN,3\n", "nan.csv, line 3, column \"x\": \"NaN\" stands for a missing value"),
        ("gap.csv", "x,grade\n1,2\n,3\n", "gap.csv, line 3, column \"x\": the field is empty"),
        ("column.csv", "x,grades\n1,2\n", "there is no column \"grade\"; the columns are \"x\", \"grades\""),
        ("one.csv", "x,grade\n1,2\n2,2\n", "one.csv, column \"grade\": every sample has the class \"2\""),
        ("few.csv", "x,grade\n1,2\n2,1\n", "few.csv: there are only 2 samples; at least 20 are needed"),
        ("latin1.csv", "x,grade\n1,caf\u{e9}\n", ""),
    ] {
        let bytes: Vec<u8> = match name {
            "latin1.csv" => text.chars().map(|c| c as u8).collect(),
            _ => text.into(),
        };
        let message = if name == "latin1.csv" { "latin1.csv, line 2: the file is not UTF-8 text" } else { message };
        place.file(name, bytes)?.refuses(&format!("train table {name} --label grade"), message)?;
    }
    place.refuses("train table none.csv --label grade", "cannot read none.csv: No such file")?;
    place.refuses("train table . --label grade", "cannot read .: Is a directory")?;
    place.file("n.csv", named())?;
    place.refuses("train table n.csv --label grade", "names without an order")?;
    place.refuses("train table n.csv --label grade --order poor,fair,good", "the class \"<b>best\" is not among")?;
    let no_order = "train table n.csv --label grade --similarity none --selection mae";
    place.refuses(no_order, "--selection mae needs classes in an order")?;
    place.refuses("train table n.csv", "--label <COLUMN>")?;
    Ok(())
}

#[test]
fn numbers_outside_their_domain() -> Outcome {
    let place = Place::new()?;
    let r = "the reduction factor r must be a number at least 0 and below 1";
    let l = "the lower bound l must be a number at least 0 and below 1";
    for (option, message) in [
        ("-r 1", r),
        ("-r -0.1", r),
        ("-r NaN", r),
        ("-r 0.5,1.5", r),
        ("--reduction-factor x", r),
        ("--similarity s.csv -l 1", l),
        ("--similarity s.csv -l -1", l),
        ("--similarity s.csv --lower-bound NaN", l),
        ("--epochs 0", "the number of epochs must be a whole number from 1"),
        ("--epochs -3", "the number of epochs must be a whole number from 1"),
        ("--epochs 1.5", "the number of epochs must be a whole number from 1"),
        ("--batch 0", "the batch size must be a whole number from 1"),
        ("--rate 0", "the learning rate must be a number above 0"),
        ("--rate NaN", "the learning rate must be a number above 0"),
        ("--rate -1", "the learning rate must be a number above 0"),
        ("--patience 0", "the patience must be a whole number from 1 to 1000000, or none"),
        ("--seeds 0", "the number of seeds must be a whole number from 1"),
        ("--threads 0", "the number of threads must be a whole number from 1"),
        ("--hidden 0", "the hidden layers must be one or two whole numbers from 1"),
        ("--hidden 8,8,8", "the hidden layers must be one or two whole numbers from 1"),
        ("--seed -1", "--seed"),
        ("-r 0.5,0.5", "-r 0.5 is given twice"),
    ] {
        place.refuses(&format!("demo {option}"), message)?;
        place.refuses(option, message)?;
    }
    place.refuses("similarity -r 1.2 --classes 3", r)?;
    place.refuses("similarity -r 0.5 --classes 1", "the number of classes must be a whole number from 2 to 4096")?;
    Ok(())
}

#[test]
fn options_that_would_do_nothing() -> Outcome {
    let place = Place::new()?;
    place.file("s.csv", "1,0.5\n0.5,1\n")?;
    let r = "-r, --reduction-factor has no effect with --similarity";
    place
        .refuses("demo --similarity none -r 0.5", &format!("{r} none; it belongs to order, circular and superclass"))?;
    place.refuses("demo --similarity s.csv -r 0.5", &format!("{r} s.csv"))?;
    place.refuses(
        "demo -l 0.5",
        "-l, --lower-bound has no effect with --similarity order; it belongs to a similarity",
    )?;
    place.refuses("demo --superclasses s.csv", "--superclasses has no effect with --similarity order")?;
    place.refuses("demo --similarity superclass", "--similarity superclass needs --superclasses FILE")?;
    place
        .refuses("similarity -r 0.5", "--similarity order needs the number of classes, --classes N, or their names")?;
    place.refuses("similarity --classes 3", "--similarity order needs -r")?;
    place.refuses("similarity -r 0.1,0.2 --classes 3", "give one -r, --reduction-factor, not 2")?;
    place.refuses("demo --resume --overwrite", "cannot be used with")?;
    place.refuses("demo --no-such-option", "--no-such-option")?;
    place.refuses("nonsense", "nonsense")?;
    Ok(())
}

#[test]
fn bad_similarities() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    for (name, text, message) in [
        ("empty.csv", "", "empty.csv: the file is empty"),
        (
            "small.csv",
            "1,0\n0,1\n",
            "small.csv: the matrix is for 2 classes, but there are 4: \"1\", \"2\", \"3\", \"4\"",
        ),
        (
            "nan.csv",
            "1,0,0,0\n0,1,0,0\n0,NaN,1,0\n0,0,0,1\n",
            "line 3: the similarity of true class \"3\" and class \"2\": \"NaN\"",
        ),
        (
            "range.csv",
            "1,0,0,0\n0,1,0,0\n0,0,1,2\n0,0,0,1\n",
            "line 3: the similarity of true class \"3\" and class \"4\" is 2, outside",
        ),
        ("own.csv", "1,0,0,0\n0,0.9,0,0\n0,0,1,0\n0,0,0,1\n", "the similarity of class \"2\" with itself is 0.9"),
        ("shape.csv", "1,0,0,0\n0,1,0,0\n", "there are 2 rows of 4 numbers"),
        ("ragged.csv", "1,0\n0\n", "ragged.csv, line 2: the row has 1 fields"),
        ("names.csv", "1,2,3,5\n1,0,0,0\n0,1,0,0\n0,0,1,0\n0,0,0,1\n", "missing: \"4\"; not a class: \"5\""),
    ] {
        place.file(name, text)?;
        place.refuses(&format!("train table g.csv --label grade --similarity {name}"), message)?;
    }
    place.refuses("similarity --similarity none.csv", "cannot read none.csv: No such file")?;
    place.refuses("similarity --similarity small.csv --classes 3", "the matrix is for 2 classes, not 3")?;
    place.file("groups.csv", "class,superclass\n1,a\n2,a\n3,b\n")?;
    place.refuses(
        "train table g.csv --label grade --similarity superclass --superclasses groups.csv",
        "groups.csv: the names do not fit the classes: missing: \"4\"",
    )?;
    Ok(())
}

#[test]
fn a_folder_that_cannot_be_written() -> Outcome {
    let place = Place::new()?;
    place.file("taken", "")?;
    place
        .simloss("demo --seeds 1 --epochs 1 --out taken/here")
        .code(1)
        .stderr(contains("error: cannot create taken/here: Not a directory").and(contains("runs,").not()));
    place.simloss("similarity -r 0.5 --classes 3 --out taken").code(1).stderr(contains("error: cannot create taken"));
    assert_eq!(files(place.0.path())?, [place.path("taken")]);
    Ok(())
}

/// A limit on the size of files stands in for a disk that is full: a write fails half-way, for whoever may write
/// anywhere too.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up() -> Outcome {
    let place = Place::new()?;
    let line = format!(
        "trap '' XFSZ; ulimit -f 4; exec '{}' demo --seeds 1 --epochs 40 --patience none -r 0.5 --out full --threads 1",
        env!("CARGO_BIN_EXE_simloss")
    );
    let mut command = Command::new("sh");
    command.current_dir(place.0.path()).args(["-c", &line]).timeout(Duration::from_secs(300));
    command.assert().code(1).stdout("").stderr(contains("error: cannot write full/").and(contains("File too large")));
    let left = files(&place.path("full"))?;
    assert!(!left.is_empty(), "it began");
    for path in left {
        let name = path.display().to_string();
        assert!(!name.ends_with(".tmp") && !name.ends_with("report.html") && !name.ends_with("results.csv"), "{name}");
        if name.ends_with(".json") {
            serde_json::from_slice::<serde_json::Value>(&fs::read(&path)?).map_err(|e| format!("{name}: {e}"))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn interrupted_and_resumed_is_as_if_nothing_happened() -> Outcome {
    let place = Place::new()?;
    let line = "demo --seeds 2 --epochs 300 --patience none -r 0.5 --hidden 8";
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_simloss"))
        .current_dir(place.0.path())
        .args(line.split_whitespace())
        .args(["--out", "stopped"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    // Interrupted in the middle of a run: once there is a record, and long before there are all.
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    while !place.path("stopped/runs/cross-entropy/seed-1/record.json").exists() {
        assert!(std::time::Instant::now() < deadline && child.try_wait()?.is_none(), "no record appeared");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status()?.success());
    let output = child.wait_with_output()?;
    let said = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("error: interrupted") && said.contains("stopped; continue with --resume"), "{said}");
    assert!(!place.path("stopped/report.html").exists());

    place.simloss(&format!("{line} --out stopped --resume")).success();
    place.simloss(&format!("{line} --out whole")).success();
    for name in
        ["results.csv", "report.html", "runs/cross-entropy/seed-1/record.json", "runs/order-r0.5/seed-2/record.json"]
    {
        assert_eq!(place.read(&format!("stopped/{name}"))?, place.read(&format!("whole/{name}"))?, "{name}");
    }
    Ok(())
}

#[test]
fn an_instruction_set_that_is_not_there() -> Outcome {
    let place = Place::new()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_simloss"));
    command.current_dir(place.0.path()).env("SIMLOSS_SIMD", "abacus").timeout(Duration::from_secs(300));
    command.assert().code(2).stderr(contains("error: SIMLOSS_SIMD=abacus"));
    assert_eq!(files(place.0.path())?, [] as [PathBuf; 0]);
    Ok(())
}

#[test]
fn help_and_version() -> Outcome {
    let place = Place::new()?;
    for line in [
        "--help",
        "demo --help",
        "train --help",
        "train table --help",
        "similarity --help",
        "eval --help",
        "eval age --help",
        "export --help",
    ] {
        place.simloss(line).success().stdout(contains("Usage: simloss"));
    }
    place.simloss("--version").success().stdout(contains(env!("CARGO_PKG_VERSION")));
    Ok(())
}
