use super::*;
use std::io::Write;

/// `n` records: the class goes round, five classes to a superclass.
fn records(n: usize) -> Vec<u8> {
    let record = |i: usize| {
        let class = (i % CLASSES) as u8;
        [class / 5, class].into_iter().chain((0..IMAGE).map(move |k| (k % 1024 + i) as u8))
    };
    (0..n).flat_map(record).collect()
}

fn text(n: usize) -> Vec<u8> {
    (0..n).map(|i| format!("n{i}\n")).collect::<String>().into_bytes()
}

fn files() -> [(&'static str, Vec<u8>); 4] {
    [("train.bin", records(200)), ("test.bin", records(100)), (FILES[2], text(CLASSES)), (FILES[3], text(SUPERCLASSES))]
}

fn tar_of(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(vec![]);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Past the checks of the library, which would not write a path that leads out.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn folders_and_archives_hold_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = tempfile::tempdir()?;
    let folder = temporary.path().join("cifar-100-binary");
    std::fs::create_dir(&folder)?;
    for (name, bytes) in files() {
        std::fs::write(folder.join(name), bytes)?;
    }
    let set = read(&folder)?;
    assert_eq!((set.images(), set.classes(), set.size()), (300, 100, [32, 32]));
    assert_eq!((set.part(Part::Train).len(), set.part(Part::Test)[0]), (200, 200));
    assert_eq!((set.labels()[207].index(), set.paths()[207].as_str()), (7, "test.bin#8"));
    assert_eq!(set.pixels_of(5)[1024 + 7], 12);
    let test = read_test(&folder)?;
    assert_eq!((test.images(), test.paths()[7].as_str()), (100, "test.bin#8"));
    assert!(is_binary(&folder) && is_binary(temporary.path()) && !is_binary(Path::new("tests")));
    let groups = set.tree().ok_or("no tree")?.superclasses(CLASSES);
    assert!(groups.iter().enumerate().all(|(class, &group)| usize::from(group) == class / 5));

    let inside: Vec<(String, Vec<u8>)> =
        files().into_iter().map(|(name, bytes)| (format!("cifar-100-binary/{name}"), bytes)).collect();
    let inside: Vec<(&str, Vec<u8>)> = inside.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let tar = tar_of(&inside);
    let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    gz.write_all(&tar)?;
    let gz = gz.finish()?;
    let mut xz = lzma_rust2::XzWriter::new(vec![], lzma_rust2::XzOptions::with_preset(0))?;
    xz.write_all(&tar)?;
    let xz = xz.finish()?;
    let mut paths = vec![temporary.path().to_owned()];
    for (name, bytes) in [("a.tar", &tar), ("a.tar.gz", &gz), ("a.tgz", &gz), ("a.tar.xz", &xz)] {
        paths.push(temporary.path().join(name));
        std::fs::write(temporary.path().join(name), bytes)?;
    }
    for path in paths {
        assert_eq!(read(&path)?.fingerprint(), set.fingerprint(), "{}", path.display());
    }
    // The other official version.
    let python = tar_of(&[("cifar-100-python/train", vec![1]), ("cifar-100-python/meta", vec![2])]);
    let path = temporary.path().join("python.tar");
    std::fs::write(&path, python)?;
    let expected = "python.tar: this is the version of CIFAR-100 for Python; get the binary version";
    assert!(read(&path).is_err_and(|e| e.to_string().contains(expected)));
    let pickles = tempfile::tempdir()?;
    for name in ["train", "test", "meta"] {
        std::fs::write(pickles.path().join(name), [1])?;
    }
    assert!(is_binary(pickles.path()));
    assert!(read(pickles.path()).is_err_and(|e| e.to_string().contains("the version of CIFAR-100 for Python")));
    // Archives cut short.
    for (name, bytes) in [("a.tar", &tar), ("a.tar.gz", &gz), ("a.tar.xz", &xz)] {
        let path = temporary.path().join(name);
        for length in [0, 100, bytes.len() / 2] {
            std::fs::write(&path, &bytes[..length])?;
            let error = read(&path).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(name), "{name} {length}: {error}");
        }
    }
    Ok(())
}

#[test]
fn what_is_damaged_is_named() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let refused = |change: fn(&mut [(&'static str, Vec<u8>); 4])| {
        let mut files = files();
        change(&mut files);
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        read(folder.path()).err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert_eq!(refused(|_| ()), "");
    for (change, message) in [
        ((|f| f[0].1.truncate(5000)) as fn(&mut [(&'static str, Vec<u8>); 4]), "train.bin: 5000 bytes are not a whole"),
        (|f| f[1].1.clear(), "test.bin: 0 bytes are not a whole number of records of 3074"),
        (|f| f[1].1.push(0), "test.bin: 307401 bytes"),
        (|f| f[0].1[2 * 3074 + 1] = 100, "train.bin: record 3 (counted from 1): fine label 100 is not below 100"),
        (|f| f[1].1[3074] = 20, "test.bin: record 2 (counted from 1): coarse label 20 is not below 20"),
        (|f| f[1].1[0] = 7, "record 1 (counted from 1): class \"n0\" has superclass \"n7\" here but \"n0\""),
        (|f| f[2].1 = text(99), "fine_label_names.txt: the file names 99 classes, not 100"),
        (|f| f[3].1 = text(19), "coarse_label_names.txt: the file names 19 classes, not 20"),
        (|f| f[2].1[4] = b'0', "\"n0\" stands twice"),
        (|f| f[2].1 = vec![0xff; 10], "UTF-8"),
        (|f| f[2].1 = vec![b'x'; 70_000], "the file holds 70000 bytes, but at most 65536"),
    ] {
        let found = refused(change);
        assert!(found.contains(message), "{found}");
    }
    refused(|_| ());
    std::fs::remove_file(folder.path().join("test.bin"))?;
    let missing = read(folder.path()).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(missing.contains("test.bin is missing; unpack the whole archive"), "{missing}");
    assert!(matches!(read(&folder.path().join("nowhere.tar.gz")), Err(Error::File { .. })));
    assert!(read(&folder.path().join("train.bin")).is_err_and(|e| e.to_string().contains("ends in .tar.gz")));
    Ok(())
}

#[test]
fn entries_of_archives_stay_inside() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.tar");
    let refused = |files: &[(&str, Vec<u8>)]| {
        std::fs::write(&path, tar_of(files)).unwrap();
        read(&path).err().map(|e| e.to_string()).unwrap_or_default()
    };
    for name in ["../train.bin", "/etc/train.bin", "a/../../train.bin"] {
        assert!(refused(&[(name, records(1))]).contains("leads out of it"), "{name}");
    }
    assert!(refused(&[("a/train.bin", records(1)), ("b/train.bin", records(1))]).contains("train.bin twice"));
    assert!(refused(&[("a/other.txt", vec![1])]).contains("train.bin is missing"));
    // An entry that promises more than it has, and more than is read at all.
    let mut tar = tar_of(&[("train.bin", records(1))]);
    let mut header = tar::Header::new_gnu();
    header.set_path("train.bin")?;
    header.set_size(RECORD as u64 * 1_000_000);
    header.set_cksum();
    tar[..512].copy_from_slice(header.as_bytes());
    std::fs::write(&path, &tar)?;
    assert!(read(&path).is_err_and(|e| e.to_string().contains("but at most 1073741824 are read")));
    Ok(())
}

#[test]
fn entries_about_others_are_small() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.tar.gz");
    let read = |tar: &[u8]| -> Result<String, Box<dyn std::error::Error>> {
        let mut gz = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        gz.write_all(tar)?;
        std::fs::write(&path, gz.finish()?)?;
        Ok(super::read(&path).err().map(|e| e.to_string()).unwrap_or_default())
    };
    let header = |kind: tar::EntryType, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    // Names of more than 100 bytes, as GNU and PAX write them.
    let deep = "d/".repeat(100);
    let mut gnu = tar::Builder::new(vec![]);
    let mut pax = tar::Builder::new(vec![]);
    for (name, bytes) in files() {
        let long = format!("{deep}{name}");
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        gnu.append_data(&mut header.clone(), &long, &bytes[..])?;
        pax.append_pax_extensions([("path", long.as_bytes())])?;
        header.set_path("short")?;
        header.set_cksum();
        pax.append(&header, &bytes[..])?;
    }
    for builder in [gnu, pax] {
        assert_eq!(read(&builder.into_inner()?)?, "");
    }
    // Those that are long are refused by their headers: here nothing follows.
    for kind in [
        tar::EntryType::GNULongName,
        tar::EntryType::GNULongLink,
        tar::EntryType::XHeader,
        tar::EntryType::XGlobalHeader,
    ] {
        let found = read(&header(kind, 1 << 30))?;
        assert!(found.contains("an entry about another one holds 1073741824 bytes, more than 65536"), "{found}");
    }
    Ok(())
}

#[test]
fn the_published_classes_are_96() -> Result<(), Error> {
    let mut names: Vec<String> = (0..CLASSES).map(|i| format!("n{i}")).collect();
    for (at, name) in [1, 40, 60, 83].into_iter().zip(LEFT_OUT) {
        names[at] = name.to_owned();
    }
    let coarse = (0..SUPERCLASSES).map(|i| format!("g{i}")).collect();
    let file = |name: &str, n| Some((PathBuf::from(name), records(n)));
    let set = published(build(String::new(), [file("a", 100), file("b", 100)], names, coarse)?)?;
    assert_eq!((set.classes(), set.images()), (96, 192));
    assert_eq!(set.tree().map(|tree| tree.superclasses(96)[95]), Some(19));
    Ok(())
}
