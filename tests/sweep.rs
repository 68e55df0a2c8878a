//! `simloss sweep` and `simloss report`: a grid with baselines, in one process or many, to the same bytes.

mod significance;

use crate::place::{Outcome, Place, contents, grades};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use significance::{FOUR, four};
use simloss_train::{report::records::Line, run::record::Record, similarity::spec::Truth};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const LINE: &str = "sweep table g.csv --label grade -r 0.3,0.6 --runs 2 --epochs 4 --hidden 8";

/// The files of all runs.
fn runs(place: &Place, out: &str) -> Result<BTreeMap<PathBuf, Vec<u8>>, Box<dyn Error>> {
    contents(&place.path(out).join("runs"))
}

#[test]
fn many_processes_write_what_one_writes() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    place
        .simloss(&format!("{LINE} --out whole"))
        .success()
        .stdout(contains("label smoothing 0.1").and(contains("SORD r = 0.3")).and(contains("SORD r = 0.6")))
        .stdout(contains("proper SimLoss r = 0.").and(contains("squared EMD")));
    let whole = runs(&place, "whole")?;
    // Cross entropy, two each of SimLoss, proper SimLoss and soft labels, label smoothing, squared EMD; two seeds; record,
    // model, state, details and samples of each.
    assert_eq!(whole.len(), 9 * 2 * 5);

    let listed = place.simloss(&format!("{LINE} --out spread --list")).success().get_output().stdout.clone();
    let listed = String::from_utf8(listed)?;
    assert_eq!(listed.lines().count(), 9 * 2);
    assert!(listed.lines().all(|line| line.starts_with("cd /") && line.contains(" --only ")), "{listed}");
    place.file("list", &listed)?;
    let spread = "xargs -d '\\n' -n 1 -P 2 sh -c < list";
    let status = Command::new("sh").args(["-c", spread]).current_dir(place.path("")).status()?;
    assert!(status.success());
    assert!(runs(&place, "spread")? == whole);
    assert!(!place.path("spread/report.html").exists());
    // The report is that of one process, too.
    place.simloss("report spread").success().stdout(contains("spread/report.html"));
    for file in ["report.html", "results.csv"] {
        assert!(place.read(&format!("spread/{file}"))? == place.read(&format!("whole/{file}"))?, "{file}");
    }
    // Nothing is left to do, and doing it again changes nothing.
    place.simloss(&format!("{LINE} --out spread --list")).success().stdout("");
    place.simloss(&format!("{LINE} --out spread")).success();
    assert!(runs(&place, "spread")? == whole);
    Ok(())
}

#[test]
fn two_processes_never_write_one_run() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    let only = |run: &str| format!("{LINE} --out o --only {run}");
    place.simloss(&only("order-r0.3/seed-1")).success().stdout(contains("order-r0.3/seed-1: 4 epochs"));
    let lock = fs::File::options().write(true).open(place.path("o/runs/order-r0.3/seed-1/lock"))?;
    lock.lock()?;
    let before = runs(&place, "o")?;
    place
        .simloss(&only("order-r0.3/seed-1"))
        .code(1)
        .stderr(contains("o/runs/order-r0.3/seed-1 is being written by another process; wait until it ends"));
    assert!(runs(&place, "o")? == before);
    // Another run is no concern of its.
    place.simloss(&only("order-r0.3/seed-2")).success();
    lock.unlock()?;
    place.simloss(&only("order-r0.3/seed-1")).success();
    place.refuses(&only("order-r0.4/seed-1"), "there is no run order-r0.4/seed-1 in this comparison; --list names them")
}

#[test]
fn finished_runs_are_reported() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    place.simloss(&format!("{LINE} --out o --list")).success();
    place.refuses("report o", "holds no finished run")?;
    // Before cross entropy, two losses share one line of the legend.
    for run in ["order-r0.3/seed-2", "order-r0.6/seed-2"] {
        place.simloss(&format!("{LINE} --out early --only {run}")).success();
    }
    place.simloss("report early").success().stdout(contains("2 of 18 runs are finished"));
    // Where nothing says what they are runs of, the user must.
    fs::remove_file(place.path("early/comparison.json"))?;
    place.refuses("report early", "early holds runs, but no comparison.json")?;
    place.simloss(&format!("report early {LINE}")).success();
    place.simloss(&format!("{LINE} --out early --list")).success();
    place.simloss("report early").success();
    assert_eq!(place.read("early/report.html")?.matches("SimLoss, stronger for larger parameters").count(), 1);
    for run in ["cross-entropy/seed-1", "order-r0.6/seed-1", "cross-entropy/seed-2", "smoothing-0.1/seed-2"] {
        place.simloss(&format!("{LINE} --out o --only {run}")).success();
    }
    place.simloss("report o --record r.json").success().stdout(contains("4 of 18 runs are finished"));
    // Two losses have one seed in common with cross entropy.
    assert!(place.read("o/report.md")?.contains("not tested: a paired test needs at least two seeds"));
    let lines: Vec<Line> = serde_json::from_str(&place.read("r.json")?)?;
    let seen: Vec<_> = lines.iter().map(|line| (&line.similarity[..], line.r, line.truth, line.seed)).collect();
    assert_eq!(
        seen,
        [
            ("none", None, Truth::Class, 1),
            ("none", None, Truth::Class, 2),
            ("order", Some(0.6), Truth::Class, 1),
            ("none", None, Truth::Smoothed(0.1), 2),
        ]
    );
    let record = Record::load(&place.path("o/runs/order-r0.6/seed-1/record.json"))?;
    let test = record.result.ok_or("not finished")?.test;
    assert_eq!(lines[2].test.get("mae").copied(), test.scores.argmax.mae);
    assert_eq!(lines[2].test.get("mae_expectation").copied(), test.expectation.mae);
    assert_eq!((lines[2].epochs, lines[2].classes), (4, 4));
    // Of another name they are others, of the same the same.
    place.simloss("report o --record r.json --called else").success();
    place.simloss("report o --record r.json").success();
    assert_eq!(serde_json::from_str::<Vec<Line>>(&place.read("r.json")?)?.len(), 8);
    // Another folder adds its runs; one with other settings is refused, and the record stays as it is.
    let before = place.read("r.json")?;
    for (line, out) in [(LINE.replace("--runs 2", "--runs 3"), "p"), (LINE.replace("--hidden 8", "--hidden 9"), "q")] {
        place.simloss(&format!("{line} --out {out} --list")).success();
    }
    place.simloss(&format!("{} --out p --only order-r0.6/seed-3", LINE.replace("--runs 2", "--runs 3"))).success();
    place.simloss("report p --record r.json").success();
    let lines: Vec<Line> = serde_json::from_str(&place.read("r.json")?)?;
    let of_loss: Vec<u64> = lines.iter().filter(|l| l.comparison == "order" && l.r.is_some()).map(|l| l.seed).collect();
    assert_eq!((lines.len(), of_loss), (9, vec![1, 3]));
    assert!(before.lines().filter(|line| line.starts_with('{')).all(|line| {
        serde_json::from_str::<Line>(line.trim_end_matches(',')).is_ok_and(|line| lines.contains(&line))
    }));
    // Whatever came first: comparison by comparison, in each cross entropy first and baselines last.
    for run in ["order-r0.3-soft/seed-3", "order-r0.3/seed-3"] {
        place.simloss(&format!("{} --out p --only {run}", LINE.replace("--runs 2", "--runs 3"))).success();
    }
    place.simloss("report p --record r.json").success();
    let lines: Vec<Line> = serde_json::from_str(&place.read("r.json")?)?;
    let order: Vec<_> = lines.iter().map(|line| (&line.comparison[..], line.r, line.truth, line.seed)).collect();
    let plain = |name| [(name, None, Truth::Class, 1), (name, None, Truth::Class, 2)];
    let simloss = |name, r, seed| (name, Some(r), Truth::Class, seed);
    let smoothed = |name| (name, None, Truth::Smoothed(0.1), 2);
    let mut expected = plain("order").to_vec();
    expected.extend([simloss("order", 0.3, 3), simloss("order", 0.6, 1), simloss("order", 0.6, 3)]);
    expected.extend([smoothed("order"), ("order", Some(0.3), Truth::Soft, 3)]);
    expected.extend(plain("else"));
    expected.extend([simloss("else", 0.6, 1), smoothed("else")]);
    assert_eq!(order, expected);
    let kept = place.read("r.json")?;
    place.simloss(&format!("{} --out q --only order-r0.6/seed-1", LINE.replace("--hidden 8", "--hidden 9"))).success();
    place.simloss("report q").success();
    place.refuses(
        "report q --record r.json",
        "called order, such as that of seed 1, have other data, network or settings",
    )?;
    assert_eq!(place.read("r.json")?, kept);
    // The command may be said again, and must be that of the runs.
    place.simloss(&format!("report o {LINE}")).success();
    place.file("h.csv", grades().replace("3\n", "2\n"))?;
    place.refuses(&format!("report o {}", LINE.replace("g.csv", "h.csv")), "holds a run with another data")?;
    place.refuses("report nowhere", "nowhere/comparison.json: No such file")?;
    place.file("r.json", "{}")?;
    place.refuses("report o --record r.json", "r.json is not a record of runs")
}

/// What a report consists of.
const REPORTED: [&str; 4] = ["report.html", "report.md", "results.csv", "results.json"];

#[test]
fn a_report_needs_no_data() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    let rows: Vec<String> =
        (0..4).map(|y| (0..4).map(|c| if y == c { "1" } else { "0.4" }).collect::<Vec<_>>().join(",")).collect();
    place.file("s.csv", rows.join("\n"))?;
    let quick = "--seeds 2 --epochs 3 --hidden 4 --threads 1";
    for (line, out) in [
        (format!("-r 0.5 {quick} --out demo"), "demo"),
        (format!("train table g.csv --label grade -r 0.3 {quick} --out table"), "table"),
        (format!("train table g.csv --label grade --similarity s.csv -l 0.2 {quick} --out matrix"), "matrix"),
        (format!("sweep table g.csv --label grade --similarity circular -r 0.3 {quick} --out circular"), "circular"),
    ] {
        place.simloss(&line).success();
        // But for the machine, on which nothing depends.
        let machine =
            |text: String| text.lines().filter(|line| !line.contains("\"threads\"")).map(str::to_owned).collect();
        let file = |name: &&str| Ok::<Vec<String>, Box<dyn Error>>(machine(place.read(&format!("{out}/{name}"))?));
        let files = || REPORTED.iter().map(file).collect::<Result<Vec<_>, _>>();
        let before = files()?;
        REPORTED.iter().try_for_each(|name| fs::remove_file(place.path(out).join(name)))?;
        for name in ["g.csv", "s.csv"] {
            fs::rename(place.path(name), place.path("away"))?;
            fs::create_dir(place.path("elsewhere"))?;
            fs::rename(place.path(out), place.path("elsewhere").join(out))?;
            place.simloss(&format!("report elsewhere/{out}")).success().stdout(contains("Left out").not());
            fs::rename(place.path("elsewhere").join(out), place.path(out))?;
            fs::remove_dir(place.path("elsewhere"))?;
            assert!(files()? == before, "{out}");
            fs::rename(place.path("away"), place.path(name))?;
        }
    }
    // A run without its details: what they hold is named.
    fs::remove_file(place.path("table/runs/cross-entropy/seed-1/details.json"))?;
    place.simloss("report table --record r.json").success().stdout(
        contains("Left out, because the files of this directory do not").and(contains("runs without details.json")),
    );
    let lines: Vec<Line> = serde_json::from_str(&place.read("r.json")?)?;
    assert!(lines[0].test.contains_key("mae") && !lines[0].test.contains_key("ece_scaled"));
    assert!(lines[1].test.contains_key("ece_scaled"));
    // As it says.
    place.simloss(&format!("train table g.csv --label grade -r 0.3 {quick} --out table --resume")).success();
    place.simloss("report table").success().stdout(contains("Left out").not());
    Ok(())
}

#[test]
fn directories_of_old_versions_are_reported() -> Outcome {
    let place = Place::new()?;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/sweep-before-facts");
    for (name, bytes) in contents(&golden)? {
        let path = place.path("old").join(name);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, bytes)?;
    }
    place
        .simloss("report old --record r.json")
        .success()
        .stdout(contains("proper SimLoss r = 0.5").and(contains("MAE, expected value")).and(contains("2 seeds")))
        .stdout(
            contains("Left out, because the files of this directory do not").and(contains("names of the features")),
        );
    let lines: Vec<Line> = serde_json::from_str(&place.read("r.json")?)?;
    assert_eq!(lines.len(), 3 * 2);
    assert!(lines.iter().all(|line| line.test.contains_key("rps") && line.reliability.is_some()));
    // With the data, the same runs go on, and nothing is missing any more.
    let before = runs(&place, "old")?;
    place
        .simloss(
            "train table old/g.csv --label grade -r 0.5 --seeds 2 --epochs 2 --hidden 2 --threads 1 --out old --resume",
        )
        .success();
    let mut after = runs(&place, "old")?;
    after.retain(|path, _| !path.ends_with("lock"));
    assert!(before == after);
    place.simloss("report old").success().stdout(contains("Left out").not());
    // Its states, whose fingerprints have another format, go on to the bits of a run in one piece.
    let longer = "train table old/g.csv --label grade -r 0.5 --seeds 2 --epochs 3 --hidden 2 --threads 1 --out";
    place.simloss(&format!("{longer} old --resume")).success();
    place.simloss(&format!("{longer} new")).success();
    let [mut old, mut new] = [runs(&place, "old")?, runs(&place, "new")?];
    // Details that are still right are kept, with their fingerprint.
    for runs in [&mut old, &mut new] {
        runs.retain(|path, _| !path.ends_with("details.json"));
    }
    assert!(old.len() == 3 * 2 * 4 && old == new);
    Ok(())
}

#[test]
fn cross_entropy_of_one_sweep_serves_another() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?.file("s.csv", "1,.5,0,0\n.5,1,0,0\n0,0,1,.5\n0,0,.5,1\n")?;
    place.simloss(&format!("{LINE} --out o --only cross-entropy/seed-1")).success();
    let other = LINE.replace("-r 0.3,0.6", "--similarity s.csv -l 0.2");
    place.simloss(&format!("{other} --out p --only file-l0.2/seed-1")).success();
    let status =
        Command::new("cp").args(["-r", "o/runs/cross-entropy", "p/runs"]).current_dir(place.path("")).status()?;
    assert!(status.success());
    let left = place.simloss(&format!("{other} --out p --list")).success();
    left.stdout(contains("cross-entropy/seed-1").not().and(contains("cross-entropy/seed-2")));
    place
        .simloss("report p")
        .success()
        .stdout(contains("2 of 12 runs are finished (cross entropy 1, SimLoss l = 0.2 1"));
    Ok(())
}

#[test]
fn a_bound_above_all_similarities_is_not_trained() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    place.file("s.csv", "1,.5,.5,.5\n.5,1,.5,.5\n.5,.5,1,.5\n.5,.5,.5,1\n")?;
    let line = "sweep table g.csv --label grade --similarity s.csv -l 0.2,0.6 --runs 1 --epochs 4 --hidden 8 --out o";
    place
        .simloss(&format!("{line} --losses simloss --list"))
        .success()
        .stdout(contains("only cross-entropy/seed-1\n").and(contains("only file-l0.2/seed-1\n")))
        .stdout(contains("l0.6").not())
        .stderr(contains(
            "note: l = 0.6 leaves no two classes similar: that is cross entropy, which is trained anyway",
        ));
    Ok(())
}

#[test]
fn baselines_have_their_own_targets() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    let line = "train table g.csv --label grade -r 0.5 --seeds 1 --epochs 5 --hidden 8 --out";
    place.simloss(&format!("{line} o --baselines smoothing=0.25,soft=0.5,soft=0")).success();
    let load = |name: &str| Record::load(&place.path(&format!("o/runs/{name}/seed-1/record.json")));
    let (plain, smooth, soft) = (load("cross-entropy")?, load("smoothing-0.25")?, load("order-r0.5-soft")?);
    assert_eq!((smooth.loss.truth, soft.loss.truth), (Truth::Smoothed(0.25), Truth::Soft));
    assert_eq!((smooth.loss.reduction_factor, soft.loss.reduction_factor), (None, Some(0.5)));
    // Soft labels with r = 0 are the classes: the epochs of cross entropy, to the bits.
    assert_eq!(load("order-r0-soft")?.epochs, plain.epochs);
    // The losses of the first epoch have floors: the entropies of the truths.
    let first = |record: &Record| record.epochs[0].train_loss.unwrap_or(0.0);
    let entropy = |t: &[f64]| -t.iter().map(|t| t * t.ln()).sum::<f64>();
    assert!(first(&smooth) >= entropy(&[0.8125, 0.0625, 0.0625, 0.0625]));
    assert!(first(&soft) >= entropy(&[8.0 / 15.0, 4.0 / 15.0, 2.0 / 15.0, 1.0 / 15.0]));
    assert_eq!(Record::load(&place.path("o/runs/order-r0.5/seed-1/record.json"))?.loss.truth, Truth::Class);
    place.refuses(&format!("{line} p --baselines soft=1"), "at least 0 and below 1")?;
    place.refuses(
        "train table g.csv --label grade --similarity none --baselines soft=0.5 --out p",
        "soft labels need a similarity",
    )
}

#[test]
fn starting_over_removes_the_old_report() -> Outcome {
    let place = four()?;
    place.simloss("report o").success();
    let written = ["report.html", "report.md", "results.csv", "results.json"];
    assert!(written.iter().all(|name| place.path("o").join(name).exists()));
    place.file("o/notes.txt", "keep")?;
    place.simloss(&format!("{FOUR} --overwrite --list")).success();
    assert!(!written.iter().any(|name| place.path("o").join(name).exists()));
    assert!(!place.path("o/runs").exists() && place.path("o/notes.txt").exists());
    Ok(())
}

#[test]
fn listing_the_demo_replaces_nothing() -> Outcome {
    let place = Place::new()?;
    let line = "demo --epochs 1 --hidden 4 -r 0.5";
    place.simloss(&format!("{line} --seeds 1")).success();
    let before = runs(&place, "out/demo")?;
    place.simloss(&format!("{line} --seeds 1 --list")).success().stdout("");
    let left = place.simloss(&format!("{line} --seeds 2 --list")).success();
    left.stdout(contains("order-r0.5/seed-2").and(contains("seed-1").not()));
    assert!(runs(&place, "out/demo")? == before);
    Ok(())
}

#[test]
fn many_processes_write_one_record() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    place.simloss("train table g.csv --label grade --seeds 1 --epochs 1 --hidden 4 -r 0.5 --out o").success();
    let program = env!("CARGO_BIN_EXE_simloss");
    let reports = format!("seq 16 | xargs -P 8 -I N {program} report o --record r.json --called N > said");
    assert!(Command::new("sh").args(["-c", &reports]).current_dir(place.path("")).status()?.success());
    let lines: Vec<Line> = serde_json::from_str(&place.read("r.json")?)?;
    let names: BTreeSet<&str> = lines.iter().map(|line| &line.comparison[..]).collect();
    assert_eq!((lines.len(), names.len()), (3 * 16, 16));
    Ok(())
}

/// The title of every plot of a page, and how many marks in the colors of data it has.
fn plots(page: &str) -> Vec<(String, usize)> {
    let mut found = vec![];
    for (before, after) in page.match_indices("<div class=\"plot\"").map(|(at, _)| page.split_at(at)) {
        let title =
            before.rsplit_once("<h3>").and_then(|(_, rest)| rest.split_once("</h3>")).map_or("", |(title, _)| title);
        let svg = after.split_once("</svg>").map_or("", |(svg, _)| svg);
        let colored =
            |element: &&str| ["#B45309", "#1D5FD6", "#0F7B5F", "#8A3FB0"].iter().any(|color| element.contains(color));
        found.push((title.to_owned(), svg.split('<').filter(colored).count()));
    }
    found
}

#[test]
fn every_plot_has_marks() -> Outcome {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    place.simloss(&format!("{LINE} --out o")).success();
    let page = place.read("o/report.html")?;
    let found = plots(&page);
    let titles: Vec<&str> = found.iter().map(|(title, _)| &title[..]).collect();
    for title in [
        "Accuracy of the argmax",
        "Mean absolute error",
        "Mean squared error of the argmax",
        "Learning curves",
        "Training loss",
        "True and predicted classes",
        "Mean prediction for class 1",
        "Calibration, cross entropy",
        "Calibration, proper SimLoss r = ",
        "Similarity, r = 0.3",
    ] {
        let begins = |other: &str| title.starts_with("Similarity") && other.starts_with("Similarity");
        let alike =
            |other: &&&str| **other == title || begins(other) || (title.ends_with("= ") && other.starts_with(title));
        assert!(titles.iter().any(|other| alike(&other)), "{title}: {titles:?}");
    }
    assert!(found.iter().all(|(_, marks)| *marks > 1), "{found:?}");
    // One file: nothing is fetched, nothing runs.
    let plain = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(
        !plain.contains("http://")
            && !plain.contains("https://")
            && !plain.contains("<script")
            && !plain.contains("url(")
    );
    assert!(page.contains("<th scope=\"col\">cross entropy, best decoder</th>"));
    let table = place.read("o/report.md")?;
    assert!(table.contains("| Loss | Runs | accuracy | MAE | MAE, expected value | MSE | NLL | ECE |"), "{table}");
    assert!(table.contains("| label smoothing 0.1 | 2 |"), "{table}");

    // Groups: the least risk of a wrong one, and their confusion.
    let text = grades();
    let named = text.lines().map(|line| match line.rsplit_once(',') {
        Some((rest, grade)) if grade != "grade" => format!("{rest},g{grade}\n"),
        _ => format!("{line}\n"),
    });
    place
        .file("n.csv", named.collect::<String>())?
        .file("s.csv", "class,superclass\ng1,low\ng2,low\ng3,high\ng4,high\n")?;
    let line =
        "sweep table n.csv --label grade --similarity superclass --superclasses s.csv -r 0.3,0.6 --runs 2 --epochs 4";
    place
        .simloss(&format!("{line} --hidden 8 --out p"))
        .success()
        .stdout(contains("- SA: cross entropy, best decoder: "));
    let page = place.read("p/report.html")?;
    assert!(
        page.contains("cross entropy, superclasses")
            && page.contains("g1 +1")
            && page.contains("minimum superclass risk")
    );
    assert!(plots(&page).iter().all(|(_, marks)| *marks > 1), "{:?}", plots(&page));
    // What stands beside a record is computed again where it is missing, to the same bytes.
    let details = "p/runs/superclass-r0.3/seed-2/details.json";
    let before = place.read(details)?;
    fs::remove_file(place.path(details))?;
    place.simloss(&format!("{line} --hidden 8 --out p")).success();
    assert_eq!(place.read(details)?, before);
    Ok(())
}
