//! Packs: the records of a commit, compressed together.
//!
//! | bytes | content |
//! |---|---|
//! | 0 | the version of this layout: 1 |
//! | 1 | the number of the dictionary: 1 |
//! | 2–5 | the length of the content, big-endian |
//! | 6–9 | the length of the compressed content, big-endian |
//! | 10 to the end | the content as an LZ4 block |
//!
//! The content is, for each record, the length of its stored form (4 bytes, big-endian) and
//! the stored form. The records have dense positions. A pack is damaged if its lengths do
//! not match; whether a record is what was written, its hash shows.

use bytes::{Buf as _, Bytes};
use lz4_flex::block::{compress_with_dict, decompress_with_dict};

use crate::event_log::Record;

/// How many bytes of records a pack has, unless a single record is longer. Larger packs
/// take less space, and it takes longer to read one record.
const MAX_CONTENT: usize = 16 * 1024;
/// A typical record. It is part of the layout, so it never changes; another dictionary
/// would get another number.
const DICTIONARY: &[u8] = include_bytes!("dictionary-1.bin");
const LAYOUT_VERSION: u8 = 1;
const DICTIONARY_NUMBER: u8 = 1;
const HEADER_BYTES: usize = 10;
/// LZ4 does not compress better than this, so a larger length is wrong.
const MAX_RATIO: usize = 255;

/// A pack cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadPack {
    /// Bytes at its end are missing.
    Incomplete,
    /// It is not a pack of this layout, or its lengths do not match.
    Damaged,
}

/// Divides records into packs. Each item has the first record of a pack, and the pack.
pub(super) fn pack(records: &[Record]) -> impl Iterator<Item = (&Record, Vec<u8>)> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let mut content = Vec::with_capacity(MAX_CONTENT);
        let mut count = 0;
        for record in rest {
            if count > 0 && content.len() + record.stored.len() + 4 > MAX_CONTENT {
                break;
            }
            let length = u32::try_from(record.stored.len()).unwrap_or(u32::MAX);
            content.extend_from_slice(&length.to_be_bytes());
            content.extend_from_slice(&record.stored);
            count += 1;
        }
        rest = rest.get(count..).unwrap_or_default();
        Some((first, compress(&content)))
    })
}

fn compress(content: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let compressed = compress_with_dict(content, DICTIONARY);
    let mut pack = Vec::with_capacity(HEADER_BYTES + compressed.len());
    pack.extend_from_slice(&[LAYOUT_VERSION, DICTIONARY_NUMBER]);
    pack.extend_from_slice(&length(content));
    pack.extend_from_slice(&length(&compressed));
    pack.extend_from_slice(&compressed);
    pack
}

/// The stored forms of the records in a pack.
pub(super) fn unpack(mut pack: &[u8]) -> Result<Vec<Bytes>, BadPack> {
    let [layout, dictionary] = take(&mut pack)?;
    if (layout, dictionary) != (LAYOUT_VERSION, DICTIONARY_NUMBER) {
        return Err(BadPack::Damaged);
    }
    let length = length(&mut pack)?;
    let compressed_length = self::length(&mut pack)?;
    let compressed = pack.get(..compressed_length).ok_or(BadPack::Incomplete)?;
    if pack.len() > compressed_length || length > compressed_length.saturating_mul(MAX_RATIO) {
        return Err(BadPack::Damaged);
    }
    let content = decompress_with_dict(compressed, length, DICTIONARY);
    let mut content = Bytes::from(content.map_err(|_| BadPack::Damaged)?);
    if content.len() != length {
        return Err(BadPack::Damaged);
    }
    let mut records = Vec::new();
    while !content.is_empty() {
        let stored = content.try_get_u32().ok().and_then(|length| usize::try_from(length).ok());
        let stored = stored.filter(|length| *length <= content.len());
        records.push(content.split_to(stored.ok_or(BadPack::Damaged)?));
    }
    Ok(records)
}

fn length(pack: &mut &[u8]) -> Result<usize, BadPack> {
    let length = u32::from_be_bytes(take(pack)?);
    usize::try_from(length).map_err(|_| BadPack::Damaged)
}

fn take<const N: usize>(pack: &mut &[u8]) -> Result<[u8; N], BadPack> {
    let (taken, rest) = pack.split_first_chunk().ok_or(BadPack::Incomplete)?;
    *pack = rest;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::event_log::{Hash, Head};

    #[test]
    fn the_dictionary_never_changes() {
        let hash = Hash(Sha256::digest(DICTIONARY).into()).to_string();
        assert_eq!(hash, "d1f456e24488765b3647829d1c07bba8d23769c1591334f3cb05397b895ded5b");
    }

    fn chained(bodies: Vec<Vec<u8>>) -> Vec<Record> {
        Record::chain(Head::default(), bodies.into_iter().map(Bytes::from).collect())
    }

    proptest! {
        #[test]
        fn records_are_unpacked_as_they_were_packed(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 0..20)
        ) {
            let records = chained(bodies);
            let mut unpacked = Vec::new();
            for (first, pack) in pack(&records) {
                prop_assert_eq!(&first.stored, &records[unpacked.len()].stored);
                let stored = unpack(&pack).expect("whole");
                let bytes: usize = stored.iter().map(|stored| stored.len() + 4).sum();
                prop_assert!(stored.len() == 1 || bytes <= MAX_CONTENT);
                unpacked.extend(stored);
            }
            let stored: Vec<_> = records.iter().map(|record| record.stored.clone()).collect();
            prop_assert_eq!(unpacked, stored);
        }

        #[test]
        fn a_changed_pack_has_no_record_that_was_not_packed(
            at in any::<prop::sample::Index>(),
            flip in 1_u8..,
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let records = chained(vec![bytes, vec![7; 300]]);
            let (_, mut pack) = pack(&records).next().expect("a pack");
            let at = at.index(pack.len());
            pack[at] ^= flip;
            if let Ok(stored) = unpack(&pack) {
                // The hash of a record shows the rest.
                let intact = stored.into_iter().filter_map(|stored| Record::parse(stored).ok());
                for record in intact {
                    prop_assert!(records.contains(&record));
                }
            }
            prop_assert!(unpack(&pack[..at]).is_err());
        }
    }
}
