//! Square matrices in NumPy's format (`.npy`): floats of 16, 32 or 64 bits, whole numbers or truth values, of either byte
//! order, by rows or by columns.

use super::{MOST_CLASSES, Problem};
use crate::{Error, error::place::InFile};
use std::{
    fs::File,
    io::{BufReader, Cursor, Read},
    path::Path,
};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Magic, version, length of the header: two bytes of it in the first version, four in others.
const FRONT: u64 = 12;
/// The longest header: that of the first version.
const MOST_HEADER: u64 = 1 << 16;
const HINT: &str = "save it with numpy.save, as a square matrix of numbers, such as float32";

/// Whether the file begins as NumPy's do.
///
/// # Errors
/// [`Error::File`].
pub(super) fn is_npy(path: &Path) -> Result<bool, Error> {
    let mut first = vec![];
    let read = |first: &mut Vec<u8>| File::open(path)?.take(MAGIC.len() as u64).read_to_end(first);
    read(&mut first).map_err(Error::file("read", path))?;
    Ok(first == MAGIC)
}

/// The number of rows, and the numbers, row by row.
///
/// # Errors
/// [`Error::File`]; [`Error::Similarity`] for a file that is cut short, of other numbers, no square, or of more than
/// [`MOST_CLASSES`] rows.
pub(super) fn read(path: &Path) -> Result<(usize, Vec<f32>), Error> {
    let wrong = |what: String| Error::from(InFile::file(path, Problem::Vector { what, hint: HINT }));
    let mut file = BufReader::new(File::open(path).map_err(Error::file("read", path))?);
    // The library takes memory for the header that a file promises: up to 4 GiB in the formats after the first.
    let mut front = vec![];
    file.by_ref().take(FRONT).read_to_end(&mut front).map_err(Error::file("read", path))?;
    if let [.., version, _, a, b, c, d] = front[..]
        && version > 1
        && u64::from(u32::from_le_bytes([a, b, c, d])) > MOST_HEADER
    {
        return Err(wrong("the file is no NPY file: its header is longer than 64 KiB".to_owned()));
    }
    let most = (MOST_CLASSES * MOST_CLASSES * 8) as u64 + MOST_HEADER;
    let file = Cursor::new(front).chain(file.take(most));
    let file = npyz::NpyFile::new(file).map_err(|e| wrong(format!("the file is no NPY file: {e}")))?;
    let (shape, order) = (file.shape().to_vec(), file.order());
    let n = match shape[..] {
        [rows, columns] if rows == columns && (2..=MOST_CLASSES as u64).contains(&rows) => rows as usize,
        _ => return Err(wrong(format!("its shape is {shape:?}; there must be from 2 to {MOST_CLASSES} classes"))),
    };
    let cut = |e: std::io::Error| wrong(format!("its numbers cannot be read: {e}"));
    let descr = file.dtype().descr();
    macro_rules! numbers {
        ($of:ty, $x:ident => $to:expr) => {
            file.into_vec::<$of>().map_err(cut)?.into_iter().map(|$x| $to).collect()
        };
    }
    // The first character is the order of bytes.
    let numbers: Vec<f32> = match descr.trim_matches('\'').get(1..).unwrap_or_default() {
        "f4" => file.into_vec::<f32>().map_err(cut)?,
        "f8" => numbers!(f64, x => x as f32),
        "f2" => numbers!(half::f16, x => x.to_f32()),
        "i1" => numbers!(i8, x => x.into()),
        "i2" => numbers!(i16, x => x.into()),
        "i4" => numbers!(i32, x => x as f32),
        "i8" => numbers!(i64, x => x as f32),
        "u1" => numbers!(u8, x => x.into()),
        "u2" => numbers!(u16, x => x.into()),
        "u4" => numbers!(u32, x => x as f32),
        "u8" => numbers!(u64, x => x as f32),
        "b1" => numbers!(bool, x => u8::from(x).into()),
        _ => return Err(wrong(format!("its numbers are {}", descr.trim_matches('\'')))),
    };
    Ok(match order {
        npyz::Order::C => (n, numbers),
        npyz::Order::Fortran => (n, (0..n * n).map(|at| numbers[at % n * n + at / n]).collect()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use npyz::WriterBuilder;

    #[test]
    fn square_matrices_alone_are_read() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("s.npy");
        let write = |shape: &[u64], numbers: &[f64], order| {
            let mut file = vec![];
            let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(order);
            let mut writer = options.writer(&mut file).begin_nd().unwrap();
            writer.extend(numbers.iter().copied()).unwrap();
            writer.finish().unwrap();
            std::fs::write(&path, &file).unwrap();
            file
        };
        let refused = || read(&path).err().map(|e| e.to_string()).unwrap_or_default();
        let numbers = [1.0, 0.5, 0.25, f64::NAN];
        let bytes = write(&[2, 2], &numbers, npyz::Order::C);
        assert!(is_npy(&path)?);
        let (n, found) = read(&path)?;
        assert_eq!((n, &found[..3]), (2, &[1.0, 0.5, 0.25][..]));
        assert!(found[3].is_nan());
        write(&[2, 2], &numbers, npyz::Order::Fortran);
        assert_eq!(read(&path)?.1[..3], [1.0, 0.25, 0.5]);
        // Numbers of other kinds, as NumPy writes them: 1, 0, 0, 1.
        let of = |descr: &str, one: &[u8]| {
            let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 2), }}");
            let mut file = b"\x93NUMPY\x01\0v\0".to_vec();
            file.extend(format!("{header:<117}\n").as_bytes());
            let zero = vec![0; one.len()];
            file.extend([one, &zero, &zero, one].concat());
            std::fs::write(&path, file).unwrap();
        };
        for (descr, one) in [
            ("<f2", &0x3c00u16.to_le_bytes()[..]),
            (">f2", &0x3c00u16.to_be_bytes()),
            (">f4", &1f32.to_be_bytes()),
            ("|i1", &[1]),
            ("<i2", &1i16.to_le_bytes()),
            (">i4", &1i32.to_be_bytes()),
            ("<i8", &1i64.to_le_bytes()),
            ("|u1", &[1]),
            ("<u8", &1u64.to_le_bytes()),
            ("|b1", &[1]),
        ] {
            of(descr, one);
            assert_eq!(read(&path)?, (2, vec![1.0, 0.0, 0.0, 1.0]), "{descr}");
        }
        of("<c8", &[0; 8]);
        assert!(refused().contains("its numbers are <c8; save it with"), "{}", refused());
        write(&[4], &numbers, npyz::Order::C);
        assert!(refused().contains("s.npy: its shape is [4]"));
        write(&[1, 4], &numbers, npyz::Order::C);
        assert!(refused().contains("its shape is [1, 4]; there must be from 2 to 4096 classes; save it with"));
        for length in [0, 20, bytes.len() - 4] {
            std::fs::write(&path, &bytes[..length])?;
            assert!(refused().contains("save it with numpy.save"), "{length}");
        }
        // A second version of the format, whose header promises 4 GiB of itself.
        let mut huge = bytes.clone();
        huge[6] = 2;
        huge[8..12].copy_from_slice(&[0xff; 4]);
        std::fs::write(&path, &huge)?;
        assert!(refused().contains("the file is no NPY file: its header is longer than 64 KiB"), "{}", refused());
        std::fs::write(&path, "1,0\n0,1\n")?;
        assert!(!is_npy(&path)?);
        assert!(matches!(is_npy(&folder.path().join("missing")), Err(Error::File { .. })));
        Ok(())
    }
}
