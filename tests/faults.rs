//! What goes wrong around a program that runs alone overnight: it is killed, the disk is full, files vanish or are cut
//! short, somebody starts it twice. Either it says what to do, or it recovers; what was finished is never lost.
#![cfg(unix)]

use crate::place::{Outcome, Place, contents, files, grades};
use predicates::{prelude::PredicateBooleanExt, str::contains};
use simloss_core::Random;
use simloss_train::{
    compare::manifest::Manifest,
    model::{Model, checkpoint},
    run::record::Record,
};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    io::Read,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Two losses and two seeds.
const SWEEP: &str =
    "sweep table g.csv --label grade -r 0.5 --losses simloss --runs 2 --hidden 4 --patience none --out o";

fn place() -> Result<Place, Box<dyn Error>> {
    let place = Place::new()?;
    place.file("g.csv", grades())?;
    Ok(place)
}

fn command(place: &Place, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simloss"));
    command.current_dir(place.path("")).args(line.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// What a sweep leaves that nothing disturbs; the folder is removed again.
fn undisturbed(place: &Place, line: &str) -> Result<BTreeMap<PathBuf, Vec<u8>>, Box<dyn Error>> {
    place.simloss(line).success();
    let whole = contents(&place.path("o"))?;
    fs::remove_dir_all(place.path("o"))?;
    Ok(whole)
}

/// Every file of the comparison, and those of one run.
fn of_each_kind(files: &BTreeMap<PathBuf, Vec<u8>>) -> impl Iterator<Item = &PathBuf> {
    files.keys().filter(|name| !name.starts_with("runs") || name.starts_with("runs/order-r0.5/seed-1"))
}

fn same(found: &BTreeMap<PathBuf, Vec<u8>>, expected: &BTreeMap<PathBuf, Vec<u8>>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in found {
        assert!(expected.get(name) == Some(bytes), "{} differs", name.display());
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for something to be so.
fn wait(what: &str, so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A sweep that takes forever, once it has written records.
fn endless(place: &Place) -> Result<Running, Box<dyn Error>> {
    let running = Running(command(place, &format!("{SWEEP} --epochs 1000000")).spawn()?);
    wait("a state", || place.path("o/runs/cross-entropy/seed-1/state.safetensors").exists());
    Ok(running)
}

/// `kill -9` at random moments, again and again until a sweep gets through: then everything is what an undisturbed sweep
/// leaves, and the next sweep begins.
fn killed(times: usize) -> Outcome {
    let place = place()?;
    let line = format!("{SWEEP} --epochs 40");
    let start = Instant::now();
    let whole = undisturbed(&place, &line)?;
    let whole_time = start.elapsed();
    // Records, models, states, details and samples of four runs; manifest, two tables of results, report in two forms.
    assert_eq!(whole.len(), 4 * 5 + 5, "{:?}", whole.keys());

    let mut random = Random::new(8);
    let (mut kills, mut sweeps, mut in_the_middle) = (0, 0, 0);
    while kills < times || sweeps == 0 {
        let mut running = command(&place, &line).spawn()?;
        if kills < times {
            std::thread::sleep(whole_time.mul_f64(random.unit::<f64>()));
            // Not through yet: then this ends it.
            let through = running.try_wait()?.is_some();
            running.kill()?;
            let status = running.wait()?;
            assert!(status.signal() == Some(9) || (through && status.success()), "{status}");
            if status.signal() == Some(9) {
                kills += 1;
                in_the_middle += usize::from(place.path("o/runs").exists() && !place.path("o/report.html").exists());
                continue;
            }
        }
        let output = running.wait_with_output()?;
        assert!(output.status.success(), "{}", said(&output));
        same(&contents(&place.path("o"))?, &whole);
        sweeps += 1;
        fs::remove_dir_all(place.path("o"))?;
    }
    println!(
        "{kills} kills, {in_the_middle} of them while runs were trained; {sweeps} sweeps, each the undisturbed one"
    );
    assert!(in_the_middle * 4 >= kills, "most of {kills} kills came too early or too late");
    Ok(())
}

#[test]
fn a_killed_sweep_resumes_to_the_same_bytes() -> Outcome {
    killed(5)
}

#[test]
#[ignore = "takes a minute; ./tests/run.sh deep-faults"]
fn a_sweep_killed_fifty_times_ends_the_same() -> Outcome {
    killed(50)
}

/// Every file of a comparison meets a full disk once. (`/dev/full` is one, for whoever writes to it.)
#[test]
fn a_full_disk_is_named_and_costs_nothing() -> Outcome {
    let place = place()?;
    let line = format!("{SWEEP} --epochs 6");
    let whole = undisturbed(&place, &line)?;
    for name in of_each_kind(&whole) {
        place.simloss(&format!("{SWEEP} --epochs 3")).success();
        let file = place.path("o").join(name);
        if file.ends_with("details.json") || file.ends_with("samples.csv.gz") {
            // Otherwise they are written only where another epoch is the best.
            fs::remove_file(&file)?;
        }
        let temporary = PathBuf::from(format!("{}.tmp", file.display()));
        symlink("/dev/full", &temporary)?;
        let before = fs::read(&file).ok();
        place.simloss(&line).code(1).stderr(
            contains(format!("cannot write o/{}", name.display()))
                .and(contains("No space left on device"))
                .and(contains("; make room there, or write elsewhere")),
        );
        assert!(fs::read(&file).ok() == before, "{} is half written", name.display());
        assert!(fs::symlink_metadata(&temporary).is_err(), "{} is left behind", temporary.display());
        place.simloss(&line).success();
        same(&contents(&place.path("o"))?, &whole);
        fs::remove_dir_all(place.path("o"))?;
    }
    Ok(())
}

/// The longest file may grow from attempt to attempt; the signal that comes with the limit is ignored, or ends the
/// process.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_or_a_kill() -> Outcome {
    let place = place()?;
    let line = format!("{SWEEP} --epochs 6");
    let whole = undisturbed(&place, &line)?;
    let longest = whole.values().map(Vec::len).max().unwrap_or(0);
    let program = env!("CARGO_BIN_EXE_simloss");
    // Blocks of 512 bytes.
    let limits: Vec<usize> = (0..).map(|n| 1 << n).take_while(|blocks| blocks * 512 < longest).collect();
    assert!(limits.len() > 4, "the longest file has {longest} bytes");
    for blocks in limits {
        let limited = |trap: &str| {
            let script = format!("{trap} ulimit -f {blocks}; exec {program} {line}");
            Command::new("sh").args(["-c", &script]).current_dir(place.path("")).stdout(Stdio::null()).output()
        };
        let output = limited("")?;
        assert!(output.status.signal().is_some(), "{blocks}: {} {}", output.status, said(&output));
        let output = limited("trap '' XFSZ;")?;
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{blocks}: {text}");
        assert!(text.contains("cannot write o/") && text.contains("; make room there, or write elsewhere"), "{text}");
    }
    place.simloss(&line).success();
    same(&contents(&place.path("o"))?, &whole);
    Ok(())
}

/// A disk of 128 KB, which is full when it is full. Only root may mount one.
#[test]
#[ignore = "needs to be root; ./tests/run.sh deep-faults"]
fn a_small_disk_is_filled() -> Outcome {
    let place = place()?;
    fs::create_dir(place.path("disk"))?;
    let disk = ["-t", "tmpfs", "-o", "size=128k", "tmpfs"];
    let mounted = Command::new("mount").args(disk).arg(place.path("disk")).status()?;
    assert!(mounted.success(), "needs to be root, with the right to mount");
    let line = format!("{SWEEP} --epochs 6").replace("--out o", "--out disk/o");
    let full = command(&place, &line).output();
    let resized = Command::new("mount").args(["-o", "remount,size=8m"]).arg(place.path("disk")).status();
    let continued = command(&place, &line).output();
    let found = contents(&place.path("disk/o/runs"));
    Command::new("umount").arg(place.path("disk")).status()?;
    let text = said(&full?);
    assert!(text.contains("No space left on device") && text.contains("make room"), "{text}");
    assert!(resized?.success() && continued?.status.success());
    let whole = undisturbed(&place, &format!("{SWEEP} --epochs 6"))?;
    let runs = whole.into_iter().filter_map(|(name, bytes)| Some((name.strip_prefix("runs").ok()?.to_owned(), bytes)));
    same(&found?, &runs.collect());
    Ok(())
}

/// Root may write everywhere: then a copy of the program runs as nobody.
#[test]
fn a_read_only_folder_is_named() -> Outcome {
    let place = place()?;
    let root = fs::metadata(place.path("g.csv"))?.uid() == 0;
    let program = place.path("simloss");
    fs::copy(env!("CARGO_BIN_EXE_simloss"), &program)?;
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    mode(&place.path(""), 0o755)?;
    let simloss = |line: &str| {
        let mut command = Command::new(&program);
        command.current_dir(place.path("")).args(line.split_whitespace()).stdout(Stdio::null());
        if root {
            command.uid(65_534).gid(65_534);
        }
        let output = command.output()?;
        Ok::<_, std::io::Error>((output.status.code(), said(&output)))
    };
    place.simloss(&format!("{SWEEP} --epochs 3")).success();
    let before = contents(&place.path("o"))?;
    fs::create_dir(place.path("closed"))?;
    for path in files(&place.path("o"))? {
        for path in [path.as_path(), path.parent().unwrap_or(&path)] {
            mode(path, if path.is_dir() { 0o555 } else { 0o444 })?;
        }
    }
    mode(&place.path("o"), 0o555)?;
    mode(&place.path("closed"), 0o555)?;
    let advice = "Permission denied (os error 13); make it writable, or write elsewhere";
    for (line, what) in [
        (format!("{SWEEP} --epochs 3").replace("--out o", "--out closed/o"), "cannot create closed/o: "),
        (format!("{SWEEP} --epochs 6"), "cannot create o/lock: "),
        (format!("{SWEEP} --epochs 6 --only cross-entropy/seed-1"), "cannot create o/runs/cross-entropy/seed-1/lock: "),
        ("report o --record closed/r.json".to_owned(), "cannot write "),
    ] {
        let (code, text) = simloss(&line)?;
        assert!(code == Some(1) && text.contains(what) && text.contains(advice), "{line}: {code:?} {text}");
    }
    // What cannot be read.
    mode(&place.path("g.csv"), 0o000)?;
    let (code, text) = simloss(&format!("{SWEEP} --epochs 6"))?;
    assert!(code == Some(2) && text.contains("cannot read g.csv: Permission denied (os error 13); make it readable"));
    mode(&place.path("g.csv"), 0o644)?;
    mode(&place.path("o"), 0o755)?;
    for path in files(&place.path("o"))? {
        mode(path.parent().unwrap_or(&path), 0o755)?;
    }
    same(&contents(&place.path("o"))?, &before);
    Ok(())
}

#[test]
fn input_may_vanish_during_a_run() -> Outcome {
    let place = Place::new()?;
    let mut images = vec![];
    for class in ["cat", "dog"] {
        fs::create_dir_all(place.path(&format!("images/{class}")))?;
        for i in 0..12u8 {
            let path = place.path(&format!("images/{class}/{i}.png"));
            let mut png = png::Encoder::new(fs::File::create(&path)?, 8, 8);
            png.set_color(png::ColorType::Grayscale);
            png.write_header()?.write_image_data(&[20 * i + u8::from(class == "dog"); 64])?;
            images.push(path);
        }
    }
    let vectors = "cat 1 2\ndog 2 1\n";
    place.file("v.txt", vectors)?;
    let line = "sweep folder images --size 10 --similarity vectors --vectors v.txt -l 0.5 --losses simloss --runs 1 \
                --batch 4 --cache none --out o";
    let whole = undisturbed(&place, &format!("{line} --epochs 60"))?;

    let running = command(&place, &format!("{line} --epochs 60")).spawn()?;
    wait("a state", || place.path("o/runs/cross-entropy/seed-1/state.safetensors").exists());
    fs::rename(place.path("images"), place.path("elsewhere"))?;
    fs::remove_file(place.path("v.txt"))?;
    let output = running.wait_with_output()?;
    assert!(output.status.success(), "{}", said(&output));
    same(&contents(&place.path("o"))?, &whole);

    // The next time it is missed, and nothing changes.
    let again = format!("{line} --epochs 70");
    place.refuses(&again, "cannot read images: No such file or directory (os error 2); check the path")?;
    fs::rename(place.path("elsewhere"), place.path("images"))?;
    place.refuses(&again, "cannot read v.txt: No such file or directory (os error 2); check the path")?;
    place.file("v.txt", vectors)?;
    let last = images.pop().ok_or("no images")?;
    fs::remove_file(&last)?;
    place.refuses(&again, "holds a run with another data")?;
    // Listed, and gone when it is read.
    symlink("nowhere", &last)?;
    place.refuses(&again, "cannot read images/dog/11.png: No such file or directory (os error 2); check the path")?;
    same(&contents(&place.path("o"))?, &whole);
    Ok(())
}

#[test]
fn output_may_vanish_during_a_run() -> Outcome {
    let place = place()?;
    let line = format!("{SWEEP} --epochs 4");
    let whole = undisturbed(&place, &line)?;
    place.simloss(&line).success();
    // Any one file, then all of a kind, then a whole run.
    for name in of_each_kind(&whole).filter(|name| !name.ends_with("state.safetensors")) {
        fs::remove_file(place.path("o").join(name))?;
        place.simloss(&line).success();
        same(&contents(&place.path("o"))?, &whole);
    }
    for (kinds, said) in [
        (&["model.safetensors", "details.json"][..], "Left out, because the files of this directory do not"),
        (
            &["model.safetensors", "state.safetensors", "details.json"],
            "Left out, because the files of this directory do not",
        ),
        (&["record.json", "model.safetensors"], "3 of 4 runs are finished"),
    ] {
        for kind in kinds {
            fs::remove_file(place.path("o/runs/cross-entropy/seed-2").join(kind))?;
        }
        // A report does without, and the sweep makes it again.
        place.simloss("report o").success().stdout(contains(said));
        place.simloss(&line).success();
        same(&contents(&place.path("o"))?, &whole);
    }
    fs::remove_dir_all(place.path("o/runs/order-r0.5"))?;
    place.simloss(&line).success();
    same(&contents(&place.path("o"))?, &whole);
    // A finished run needs no state; where it goes on, it goes on from the beginning.
    let longer = format!("{SWEEP} --epochs 5");
    fs::remove_file(place.path("o/runs/order-r0.5/seed-1/state.safetensors"))?;
    place.simloss(&longer).success();
    let found = contents(&place.path("o"))?;
    fs::remove_dir_all(place.path("o"))?;
    same(&found, &undisturbed(&place, &longer)?);

    // All of it, while it is written: the first file that has no folder any more ends it.
    let mut running = endless(&place)?;
    wait("the folder to go", || fs::remove_dir_all(place.path("o")).is_ok());
    let mut text = String::new();
    running.0.stderr.take().ok_or("no stderr")?.read_to_string(&mut text)?;
    assert_eq!(running.0.wait()?.code(), Some(1), "{text}");
    assert!(text.contains("cannot write o/") && text.contains("; a folder on its path is missing or was removed"));
    let _ = fs::remove_dir_all(place.path("o"));
    place.simloss(&line).success();
    same(&contents(&place.path("o"))?, &whole);
    Ok(())
}

#[test]
fn two_processes_in_one_folder() -> Outcome {
    let place = place()?;
    let line = format!("{SWEEP} --epochs 4");
    let whole = undisturbed(&place, &line)?;
    let endless = endless(&place)?;
    let manifest = place.read("o/comparison.json")?;
    let busy = " is being written by another process; wait until it ends, or give another output folder";
    for (options, which) in [
        ("--epochs 1000000", "o"),
        ("--epochs 4", "o"),
        ("--epochs 1000000 --overwrite", "o"),
        ("--epochs 1000000 --list", "o"),
        ("--epochs 1000000 --only cross-entropy/seed-1", "o/runs/cross-entropy/seed-1"),
    ] {
        place.simloss(&format!("{SWEEP} {options}")).code(1).stderr(contains(format!("{which}{busy}")));
        assert_eq!(place.read("o/comparison.json")?, manifest);
        assert!(place.path("o/runs/cross-entropy/seed-1/state.safetensors").exists());
    }
    drop(endless);

    // A run of its own process is not removed under it.
    let only = format!("{SWEEP} --epochs 1000000 --only cross-entropy/seed-2");
    let running = Running(command(&place, &only).spawn()?);
    wait("its lock", || {
        let lock = fs::File::options().write(true).open(place.path("o/runs/cross-entropy/seed-2/lock"));
        lock.is_ok_and(|lock| lock.try_lock().is_err())
    });
    place
        .simloss(&format!("{line} --overwrite"))
        .code(1)
        .stderr(contains(format!("o/runs/cross-entropy/seed-2{busy}")));
    assert!(place.path("o/runs/cross-entropy/seed-1/state.safetensors").exists());
    drop(running);
    place.simloss(&format!("{line} --overwrite")).success();

    // Started at the same moment: one is refused or finds all done, and what is there is right.
    for _ in 0..3 {
        fs::remove_dir_all(place.path("o"))?;
        let both = [command(&place, &line).spawn()?, command(&place, &line).spawn()?];
        let mut done = 0;
        for one in both {
            let output = one.wait_with_output()?;
            done += usize::from(output.status.success());
            assert!(output.status.success() || said(&output).contains(busy), "{}", said(&output));
        }
        assert!(done > 0);
        same(&contents(&place.path("o"))?, &whole);
    }
    Ok(())
}

#[test]
fn other_settings_leave_a_comparison_as_it_is() -> Outcome {
    let place = place()?;
    place.simloss(&format!("{SWEEP} --epochs 4")).success();
    let before = contents(&place.path("o"))?;
    for (options, what) in [
        ("--epochs 4 --rate 0.5", "another --learning-rate"),
        ("--epochs 4 --batch 9", "another --batch-size"),
        ("--epochs 2", "another number of epochs already (4, not at most 2)"),
        ("--epochs 4 --hidden 5", "another --hidden (4, not 5)"),
    ] {
        let line = format!("{} {options}", SWEEP.replace("--hidden 4", ""));
        let line = if options.contains("--hidden") { line } else { format!("{line} --hidden 4") };
        place.refuses(&line, what)?;
        place.refuses(&format!("report o {line}"), what)?;
        same(&contents(&place.path("o"))?, &before);
    }
    // More epochs are not done yet.
    place
        .simloss(&format!("{SWEEP} --epochs 5 --list"))
        .success()
        .stdout(contains("--only cross-entropy/seed-1").and(contains("--only order-r0.5/seed-2")));
    Ok(())
}

/// Lengths at which a file is cut: everywhere near its ends, and here and there between.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    (0..length.min(12)).chain((12..length).step_by(length / 7 + 1)).chain(length.saturating_sub(3)..length)
}

#[test]
fn files_cut_short_are_named_or_made_again() -> Outcome {
    let place = place()?;
    let line = format!("{SWEEP} --epochs 4");
    place.simloss(&line).success();
    let whole = contents(&place.path("o"))?;
    let cut = |name: &str, length: usize| fs::write(place.path("o").join(name), &whole[Path::new(name)][..length]);
    let run = "runs/order-r0.5/seed-1";
    let longer = format!("{SWEEP} --epochs 5 --only order-r0.5/seed-1");
    for (name, line, advice) in [
        ("record.json", &line, "remove the folder it is in to train this run again"),
        ("state.safetensors", &longer, "remove it to start this run again"),
    ] {
        let name = format!("{run}/{name}");
        let length = whole[Path::new(&name)].len();
        for at in cuts(length - 1) {
            cut(&name, at)?;
            let before = contents(&place.path("o"))?;
            // A record ends in a line feed, which may go; one byte less, and it is no record.
            place.refuses(line, &format!("o/{name} is not a"))?;
            place.refuses(line, advice)?;
            same(&contents(&place.path("o"))?, &before);
        }
        cut(&name, length)?;
    }
    // As advised.
    cut(&format!("{run}/record.json"), 100)?;
    fs::remove_dir_all(place.path("o").join(run))?;
    place.simloss(&line).success();
    same(&contents(&place.path("o"))?, &whole);

    // What is made of other files is made again.
    let [details, samples] = ["details.json", "samples.csv.gz"].map(|name| format!("{run}/{name}"));
    for name in [&details[..], &samples, "comparison.json", "results.csv", "results.json", "report.html"] {
        for at in [0, 1, whole[Path::new(name)].len() / 2] {
            cut(name, at)?;
            place.simloss(&line).success();
            same(&contents(&place.path("o"))?, &whole);
        }
    }
    // A report needs the manifest, or the command from whoever asks.
    cut("comparison.json", 200)?;
    place.refuses("report o", "o/comparison.json is not a comparison that this version can use: EOF while parsing")?;
    place.refuses("report o", "; give the command that made it again, after the folder")?;
    place.simloss(&format!("report o {line}")).success();
    // A published record is not written over.
    place.simloss("report o").code(2);
    place.simloss(&line).success();
    place.file("r.json", "[\n{\"comparison\":")?;
    place.refuses("report o --record r.json", "r.json is not a record of runs that this version can use: EOF")?;
    place.refuses("report o --record r.json", "; give another file, or remove this one")?;
    // A model is missed where it is used.
    let model = format!("{run}/model.safetensors");
    cut(&model, 300)?;
    fs::remove_file(place.path("o").join(format!("{run}/details.json")))?;
    place.refuses(&line, "comes back when it is removed and the run continued")?;
    place.refuses(&format!("eval table g.csv --label grade --checkpoint o/{model}"), "is not a trained network")?;
    fs::remove_file(place.path("o").join(&model))?;
    place.simloss(&line).success();
    same(&contents(&place.path("o"))?, &whole);
    Ok(())
}

/// Every length of every kind of file that is read back, in this process.
#[test]
fn no_prefix_of_a_file_is_taken_for_it() -> Outcome {
    let place = place()?;
    place.simloss(&format!("{SWEEP} --epochs 2")).success();
    let run = place.path("o/runs/cross-entropy/seed-1");
    let path = place.path("cut");
    let told = |result: Result<(), simloss_train::Error>, at: usize| {
        let text = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("cut is not a") && text.contains("that this version can use"), "{at}: {text}");
    };
    let record = fs::read(run.join("record.json"))?;
    // Without its line feed it is whole.
    for at in 0..record.len() - 1 {
        fs::write(&path, &record[..at])?;
        told(Record::load(&path).map(|_| ()), at);
    }
    let model = fs::read(run.join("model.safetensors"))?;
    for at in 0..model.len() {
        fs::write(&path, &model[..at])?;
        told(Model::load(&path).map(|_| ()), at);
        told(checkpoint::read(&path).map(|_| ()), at);
    }
    let manifest = fs::read(place.path("o/comparison.json"))?;
    for at in 0..manifest.len() - 1 {
        fs::write(place.path("o/comparison.json"), &manifest[..at])?;
        assert!(Manifest::read(&place.path("o")).is_err_and(|e| e.to_string().contains("is not a comparison")), "{at}");
    }
    Ok(())
}
