use super::*;
use crate::data::read::images::decode::tests::png_of;
use crate::data::read::images::scan::is_image;
use std::fs;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const LOADING: Loading<'static> =
    Loading { size: [1, 1], threads: 2, cache: None, skip_bad: false, progress: &|_, _| true };

/// A folder of images of one pixel, each of its own grey.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (grey, file) in (1..).zip(files) {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let png = png_of(1, 1, png::ColorType::Grayscale, &[grey]);
        fs::write(path, if is_image(Path::new(file)) { &png[..] } else { b"text" }).unwrap();
    }
    root
}

fn message<T>(result: Result<T, Error>) -> String {
    result.err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn ages_in_names_and_what_is_left_out() -> Outcome {
    let root = folder(&[
        "3_0_0_2017.jpg.chip.jpg",
        "2_1_2_2017.jpg.chip.jpg",
        "more/4_1_2017.jpg.chip.jpg",
        "90_1_0_2017.jpg",
        "0_1_0_2017.jpg",
        "face.jpg",
        "_1_0_2017.jpg",
        "200_0_0_2017.jpg",
        "notes.txt",
        ".hidden.jpg",
    ]);
    let Loaded { set, left_out, notes, cached } = ages(root.path(), 1..=5, None, LOADING)?;
    assert_eq!(set.paths(), ["2_1_2_2017.jpg.chip.jpg", "3_0_0_2017.jpg.chip.jpg", "more/4_1_2017.jpg.chip.jpg"]);
    assert_eq!(set.labels().iter().map(|y| y.index()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((set.class_values(), set.pixels_of(0)), (&[1.0, 2.0, 3.0, 4.0, 5.0][..], &[2, 2, 2][..]));
    assert_eq!((left_out.other_files, left_out.younger, left_out.older, cached), (1, 1, 1, false));
    assert_eq!(left_out.without_age, ["200_0_0_2017.jpg", "_1_0_2017.jpg", "face.jpg"]);
    assert_eq!(left_out.sentences().len(), 4);
    assert!(notes[1].contains("1 names lack a field; their ages are used: \"4_1_2017.jpg.chip.jpg\""), "{notes:?}");
    assert!(notes[2].contains("2 classes have no images: \"1\", \"5\""), "{notes:?}");
    let none = message(ages(root.path(), 50..=60, None, LOADING));
    assert!(
        none.contains("no images of ages in the range; left out 1 files") && none.contains("above the range"),
        "{none}"
    );
    for range in [5..=5, RangeInclusive::new(9, 3), 1..=151] {
        assert!(message(ages(root.path(), range, None, LOADING)).contains("--ages must be two ages"));
    }
    Ok(())
}

#[test]
fn ages_in_folders() -> Outcome {
    let root = folder(&["15/111/109-0.jpg", "15/112/1-0.jpg", "16/111/2-0.jpg", "75/112/3-0.jpg", "x/111/4.jpg"]);
    let Loaded { set, left_out, .. } = ages(root.path(), 15..=75, None, LOADING)?;
    assert_eq!(set.labels().iter().map(|y| y.index()).collect::<Vec<_>>(), [0, 0, 1, 60]);
    // 111 is a gender there, and the one folder that could be an age.
    assert_eq!((left_out.older, left_out.without_age.len()), (1, 0));
    Ok(())
}

#[test]
fn ages_in_a_table() -> Outcome {
    let root = folder(&["a/x.jpg", "b/x.jpg", "c.jpg", "labels.csv"]);
    let table = root.path().join("labels.csv");
    let read = |text: &str| {
        fs::write(&table, text).unwrap();
        ages(root.path(), 1..=9, Some(&table), LOADING)
    };
    let Loaded { set, left_out, .. } = read("label,path\n3,a/x.jpg\n4.0,./b/x.jpg\n")?;
    assert_eq!((set.paths(), left_out.not_in_table), (&["a/x.jpg".to_owned(), "b/x.jpg".into()][..], 1));
    assert_eq!(set.labels()[1].index(), 3);
    assert!(message(read("a,b\n")).contains("must name the columns \"path\" and \"label\"; it names \"a\", \"b\""));
    assert!(message(read("path,label\nc.jpg,old\n")).contains("line 2: \"old\" is not an age"));
    assert!(message(read("path,label\nc.jpg,\n")).contains("\"\" is not an age"));
    assert!(message(read("path,label\nc.jpg,3\nd.jpg,3\n")).contains("no images in the folder"));
    assert!(message(read("path,label\nc.jpg,3\nc.jpg,4\n")).contains("line 3: the name \"c.jpg\" stands twice"));
    assert!(message(read("path,label\nc.jpg,3\nc.jpg,3\n")).is_empty());
    Ok(())
}

#[test]
fn folders_are_classes() -> Outcome {
    let root = folder(&["b/1.png", "a/1.png", "a/2.PNG", "c/1.jpeg", "readme.md"]);
    let Loaded { set, left_out, .. } = classes(root.path(), LOADING)?;
    assert_eq!((set.class_names(), set.images()), (&["a", "b", "c"].map(str::to_owned)[..], 4));
    assert_eq!((set.tree(), left_out.other_files, set.part(Part::Any).len()), (None, 1, 4));

    // Numbers are sorted as numbers, and are values.
    let root = folder(&["10/x.png", "9/x.png", "-1.5/x.png"]);
    let set = classes(root.path(), LOADING)?.set;
    assert_eq!(
        (set.class_names(), set.class_values()),
        (&["-1.5", "9", "10"].map(str::to_owned)[..], &[-1.5, 9.0, 10.0][..])
    );

    // Parts are no classes.
    let root = folder(&["train/a/1.png", "train/b/1.png", "val/a/1.png", "test/b/1.png"]);
    let set = classes(root.path(), LOADING)?.set;
    assert_eq!(set.class_names(), ["a", "b"]);
    assert_eq!([Part::Train, Part::Validation, Part::Test].map(|part| set.part(part).len()), [2, 1, 1]);
    // Misnamed, a part would be a group of classes.
    for (others, expected) in [
        (
            &["tests/a/1.png", "tests/b/1.png"][..],
            "beside the parts \"train\" of the data stand \"tests\"; rename these",
        ),
        (&["a/1.png"][..], "of the data stand \"a\"; rename these to train, val or test"),
        (&["1.png"][..], "of the data stand \"1.png\""),
    ] {
        let root = folder(&[&["train/a/1.png", "train/b/1.png"][..], others].concat());
        let found = message(classes(root.path(), LOADING));
        assert!(found.contains(expected), "{found}");
    }
    let root = folder(&["test/a/1.png", "val/a/1.png", "test/b/1.png"]);
    let found = message(classes(root.path(), LOADING));
    assert!(found.contains("beside the parts \"test\", \"val\" of the data there is no train; give"), "{found}");
    // Folders of images are classes, whatever their names.
    let root = folder(&["train/1.png", "car/1.png"]);
    assert_eq!(classes(root.path(), LOADING)?.set.class_names(), ["car", "train"]);
    // Parts without classes.
    for files in [&["test/1.png", "val/1.png"][..], &["train/a/1.png", "train/b/1.png", "test/1.png"]] {
        let found = message(classes(folder(files).path(), LOADING));
        assert!(found.contains("no class folders are in \"test\""), "{found}");
    }
    Ok(())
}

#[test]
fn folders_in_folders_are_a_tree() -> Outcome {
    let root = folder(&["plant/tree/oak/1.png", "plant/tree/fir/1.png", "plant/rose/1.png", "animal/cat/1.png"]);
    let set = classes(root.path(), LOADING)?.set;
    assert_eq!(set.class_names(), ["cat", "rose", "fir", "oak"]);
    let tree = set.tree().ok_or("no tree")?;
    assert_eq!(tree.names[4..], ["all", "animal", "plant", "plant/tree"]);
    assert_eq!(tree.parents, [5, 6, 7, 7, 4, 4, 4, 6]);
    assert_eq!(tree.superclasses(4), [0, 1, 1, 1]);
    // The core takes it as it is.
    assert!(simloss_core::similarity::Taxonomy::new(&tree.parents[..], [1.0f32, 0.7, 0.3, 0.0], 4).is_ok());
    // One name in two places.
    let root = folder(&["hot/1/a.png", "cold/1/a.png"]);
    assert_eq!(classes(root.path(), LOADING)?.set.class_names(), ["cold/1", "hot/1"]);
    Ok(())
}

#[test]
fn folders_that_do_not_fit_are_refused() -> Outcome {
    assert!(matches!(classes(Path::new("/no/such/folder"), LOADING), Err(Error::File { action: "read", .. })));
    let empty = tempfile::tempdir()?;
    assert!(message(classes(empty.path(), LOADING)).contains("the folder holds no PNG or JPEG images"));
    assert!(message(ages(empty.path(), 1..=90, None, LOADING)).contains("holds no PNG or JPEG images"));
    let root = folder(&["data.zip"]);
    assert!(message(classes(root.path(), LOADING)).contains("but 1 other files; unpack archives first"));
    let root = folder(&["a/1.png"]);
    assert!(message(classes(root.path(), LOADING)).contains("for each of two classes or more"));
    let root = folder(&["a/1.png", "a/b/1.png", "c/1.png"]);
    assert!(message(classes(root.path(), LOADING)).contains("images and folders with images"));
    let root = folder(&["a/1.png", "2.png"]);
    assert!(message(classes(root.path(), LOADING)).contains("images and folders with images"));
    let root = folder(&["a/1.png", "b/1.png", "c/notes.txt"]);
    assert!(message(classes(root.path(), LOADING)).contains("class \"c\" has no images"));
    let root = folder(&["a/1.png", "b/1.png"]);
    fs::write(root.path().join("b/1.png"), b"")?;
    let found = message(classes(root.path(), LOADING));
    assert!(found.contains("1.png: the file is empty; give a PNG or JPEG image, or remove it"), "{found}");
    let deep = ["d"; 20].join("/") + "/1.png";
    assert!(message(classes(folder(&[&deep]).path(), LOADING)).contains("more than 16 deep"));
    Ok(())
}

#[test]
fn a_cache_gives_the_same_and_notices_changes() -> Outcome {
    let root = folder(&["a/1.png", "b/1.png"]);
    let kept = tempfile::tempdir()?;
    let cache = kept.path().join("cache");
    let loading = Loading { cache: Some(&cache), ..LOADING };
    let first = classes(root.path(), loading)?;
    let second = classes(root.path(), loading)?;
    assert_eq!((first.cached, second.cached), (false, true));
    assert_eq!(first.set, second.set);
    fs::write(root.path().join("b/2.png"), png_of(1, 1, png::ColorType::Grayscale, &[9]))?;
    let third = classes(root.path(), loading)?;
    assert_eq!((third.cached, third.set.images()), (false, 3));
    // A cache that cannot be written is said, and no more.
    fs::write(kept.path().join("file"), b"")?;
    let blocked = kept.path().join("file");
    let notes = classes(root.path(), Loading { cache: Some(&blocked), ..LOADING })?.notes;
    assert!(notes[0].contains("the decoded images are not kept"), "{notes:?}");
    Ok(())
}

#[test]
fn parts_have_customary_names_and_may_lie_in_one_folder() -> Outcome {
    let parts = |files: &[&str]| {
        let set = classes(folder(files).path(), LOADING)?.set;
        let count = |part| set.part(part).len();
        Ok::<_, Error>((set.class_names().join(","), [Part::Train, Part::Validation, Part::Test].map(count)))
    };
    for [train, val, test] in [
        ["chest_xray/train", "chest_xray/val", "chest_xray/test"],
        ["a/b/Training", "a/b/Valid", "a/b/Testing"],
        ["training_set", "validation_set", "test_set"],
        ["TRAIN", "VAL", "TEST"],
    ] {
        let files = [(train, "x/1.png"), (train, "x/2.png"), (train, "y/1.png"), (val, "y/2.png"), (test, "x/3.png")];
        let files: Vec<String> = files.iter().map(|(part, file)| format!("{part}/{file}")).collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        assert_eq!(parts(&files)?, ("x,y".to_owned(), [3, 1, 1]), "{train}");
    }
    // Faces too.
    let root = folder(&["faces/Train/3_0_0_1.png", "faces/Test/4_0_0_1.png"]);
    let set = ages(root.path(), 1..=5, None, LOADING)?.set;
    assert_eq!((set.part(Part::Train).len(), set.part(Part::Test).len()), (1, 1));
    // Whether these are parts cannot be known.
    for files in [
        &["a/train/x/1.png", "a/test/x/1.png", "b/train/y/1.png"][..],
        &["cat/train/1.png", "cat/test/1.png", "dog/train/1.png", "dog/test/1.png"],
        &["sheet/1.png", "xray/train/a/1.png", "xray/test/a/1.png"],
    ] {
        let found = message(classes(folder(files).path(), LOADING));
        assert!(found.contains("\"test\", \"train\" in ") && found.contains("the classes would be \""), "{found}");
    }
    Ok(())
}

#[test]
fn groups_that_group_nothing_are_none() -> Outcome {
    for (files, note) in [
        (&["data/cat/1.png", "data/dog/1.png"][..], ""),
        (&["out/er/cat/1.png", "out/er/dog/1.png"], ""),
        (&["pets/cat/1.png", "wild/wolf/1.png"], "the folders around the class folders hold one class each"),
    ] {
        let Loaded { set, notes, .. } = classes(folder(files).path(), LOADING)?;
        assert_eq!((set.tree(), set.classes()), (None, 2), "{files:?}");
        assert_eq!(
            notes.join(""),
            if note.is_empty() { String::new() } else { format!("{note}: they are taken for no superclasses") }
        );
    }
    // What is left below one folder may group.
    let set = classes(folder(&["all/pet/cat/1.png", "all/pet/dog/1.png", "all/wild/wolf/1.png"]).path(), LOADING)?.set;
    assert_eq!(set.tree().map(|tree| tree.superclasses(3)), Some(vec![0, 0, 1]));
    Ok(())
}

#[test]
fn numbers_among_names_make_no_order() -> Outcome {
    for (files, expected) in [
        (&["10/1.png", "20/1.png", "100/1.png", "inf/1.png"][..], ["10", "100", "20", "inf"]),
        (&["10/1.png", "20/1.png", "100/1.png", "010/1.png"], ["010", "10", "100", "20"]),
        (&["10/1.png", "20/1.png", "100/1.png", "nan/1.png"], ["10", "100", "20", "nan"]),
    ] {
        let set = classes(folder(files).path(), LOADING)?.set;
        assert_eq!(
            (set.class_names(), set.class_values()),
            (&expected.map(str::to_owned)[..], &[0.0, 1.0, 2.0, 3.0][..])
        );
        assert_eq!(input::numbers_in_order(set.class_names()), None);
    }
    Ok(())
}

#[test]
fn what_systems_leave_behind_is_passed_over() -> Outcome {
    let root = folder(&[
        "cat/1.png",
        "dog/1.png",
        "__MACOSX/cat/._1.png",
        "cat/@eaDir/1.png/SYNO.jpg",
        "$RECYCLE.BIN/x/1.png",
        ".DS_Store",
    ]);
    let Loaded { set, notes, .. } = classes(root.path(), LOADING)?;
    assert_eq!((set.class_names(), set.images()), (&["cat", "dog"].map(str::to_owned)[..], 2));
    assert_eq!(
        notes,
        [
            "passed over 3 folders that a system leaves behind: \"$RECYCLE.BIN\", \"@eaDir\", \"__MACOSX\"",
            "passed over 1 names that begin with a dot"
        ]
    );
    Ok(())
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_circles_refused() -> Outcome {
    use std::os::unix::fs::symlink;
    let root = folder(&["data/cat/1.png", "data/dog/1.png", "elsewhere/1.png", "elsewhere/2.png"]);
    let (data, elsewhere) = (root.path().join("data"), root.path().join("elsewhere"));
    symlink("../elsewhere", data.join("cow"))?;
    symlink(elsewhere.join("1.png"), data.join("cat/2.png"))?;
    let Loaded { set, notes, .. } = classes(&data, LOADING)?;
    assert_eq!((set.class_names().join(","), set.images(), notes.len()), ("cat,cow,dog".to_owned(), 5, 0));
    // The same folder on two ways.
    symlink("../elsewhere", data.join("ox"))?;
    let notes = classes(&data, LOADING)?.notes;
    assert!(notes[0].contains("\"ox\" is the folder \"cow\" once more"), "{notes:?}");
    fs::remove_file(data.join("ox"))?;
    for (target, at) in [("..", "cat/up"), ("../..", "dog/top"), (".", "cat/here")] {
        symlink(target, data.join(at))?;
        let found = message(classes(&data, LOADING));
        assert!(found.contains(at) && found.contains("the link leads back to "), "{found}");
        fs::remove_file(data.join(at))?;
    }
    symlink("nowhere", data.join("hen"))?;
    let found = message(classes(&data, LOADING));
    assert!(found.contains("hen: the link leads nowhere"), "{found}");
    Ok(())
}

#[test]
fn bad_images_are_listed_or_left_out() -> Outcome {
    let root = folder(&["a/1.png", "a/2.png", "b/1.png", "b/2.png"]);
    for (name, bytes) in
        [("a/0.jpg", &b""[..]), ("a/3.jpg", b"GIF89a"), ("b/3.png", b"BMxx"), ("b/4.jpg", b"RIFFxxxxWEBP")]
    {
        fs::write(root.path().join(name), bytes)?;
    }
    let found = message(classes(root.path(), LOADING));
    for expected in [
        "4 images cannot be used: a/0.jpg (the file is empty;",
        "a/3.jpg (the file is a GIF image;",
        "b/3.png (the file is a BMP image;",
        "b/4.jpg (the file is a WebP image;",
        "leave them out with --skip-bad",
    ] {
        assert!(found.contains(expected), "{found}");
    }
    let cache = tempfile::tempdir()?;
    let loading = Loading { skip_bad: true, cache: Some(cache.path()), ..LOADING };
    for _ in 0..2 {
        let Loaded { set, left_out, cached, .. } = classes(root.path(), loading)?;
        assert_eq!(
            (set.paths(), cached),
            (&["a/1.png", "a/2.png", "b/1.png", "b/2.png"].map(str::to_owned)[..], false)
        );
        assert_eq!((set.labels()[1].index(), set.labels()[2].index(), set.pixels_of(3)[0]), (0, 1, 4));
        assert!(left_out.sentences()[0].starts_with("left out 4 images that cannot be read: a/0.jpg (the file"));
    }
    Ok(())
}
