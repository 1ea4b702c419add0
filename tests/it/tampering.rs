//! Tampering is detected: verification names the first wrong position. A change that
//! is consistent in itself is detected with a hash anchor.

use bytes::Bytes;
use proptest::{prelude::*, test_runner::TestRunner};
use userpool::{
    audit::{self, LogCheckpoint, LogKey, PublicKey, Trust, Verifier},
    event_log::{EventLog as _, Head, MemoryLog, Position, ReadLimit, Record},
    proto::{
        UserPool, UserPoolCreated, UserPoolEvent, UserPoolEventType, UserPoolUpdated,
        user_pool_event::Payload,
    },
};

/// How many records the log has.
const RECORDS: usize = 40;
/// How many changes the test makes.
const CHANGES: u32 = 4_000;

/// A change of a log; places count from 0.
#[derive(Debug, Clone)]
enum Tampering {
    FlipBit {
        place: usize,
        bit: usize,
    },
    Remove {
        place: usize,
    },
    Swap {
        place: usize,
        other: usize,
    },
    CopyOver {
        place: usize,
        other: usize,
    },
    Truncate {
        length: usize,
    },
    AppendForged {
        body: Vec<u8>,
        bit: usize,
    },
    /// Another body, with right hashes from there to the end.
    Rewrite {
        place: usize,
    },
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let place = 0..RECORDS;
    let two = (0..RECORDS, 0..RECORDS).prop_filter("two records", |(a, b)| a != b);
    prop_oneof![
        6 => (place.clone(), any::<prop::sample::Index>()).prop_map(|(place, bit)| {
            Tampering::FlipBit { place, bit: bit.index(1 << 20) }
        }),
        1 => (0..RECORDS - 1).prop_map(|place| Tampering::Remove { place }),
        1 => two.clone().prop_map(|(place, other)| Tampering::Swap { place, other }),
        1 => two.prop_map(|(place, other)| Tampering::CopyOver { place, other }),
        1 => (0..RECORDS).prop_map(|length| Tampering::Truncate { length }),
        1 => (prop::collection::vec(any::<u8>(), 0..200), 0..256_usize)
            .prop_map(|(body, bit)| Tampering::AppendForged { body, bit }),
        1 => place.prop_map(|place| Tampering::Rewrite { place }),
    ]
}

/// A log in batches of one to three records.
async fn log() -> Vec<Record> {
    let log = MemoryLog::default();
    let mut position = 0;
    while position < RECORDS {
        let batch = (position % 3 + 1).min(RECORDS - position);
        let bodies = (0..batch).map(|index| body(position + index + 1, "people"));
        let head = *log.head().borrow();
        log.append(head, bodies.collect()).await.expect("appended");
        position += batch;
    }
    let all = ReadLimit { records: usize::MAX, bytes: usize::MAX };
    log.read(Position::START, all).await.expect("readable")
}

/// An event of the only user pool: its creation, then updates.
fn body(position: usize, name: &str) -> Bytes {
    let id = "us-east-1_AbCdEfGhI";
    let (id, name) = (Some(id.to_owned()), Some(name.to_owned()));
    let user_pool = Some(UserPool { id: id.clone(), name, ..Default::default() });
    let (r#type, payload) = if position == 1 {
        let created = Box::new(UserPoolCreated { user_pool });
        (UserPoolEventType::UserPoolCreated, Payload::UserPoolCreated(created))
    } else {
        let updated = Box::new(UserPoolUpdated { user_pool, ..Default::default() });
        (UserPoolEventType::UserPoolUpdated, Payload::UserPoolUpdated(updated))
    };
    let event = UserPoolEvent {
        position: i64::try_from(position).expect("small"),
        user_pool_id: id.unwrap_or_default(),
        revision: i64::try_from(position).expect("small"),
        r#type: r#type.into(),
        schema_version: 1,
        payload: Some(payload),
        ..Default::default()
    };
    prost::Message::encode_to_vec(&event).into()
}

/// The log after the tampering, and the position where it shows first.
fn tampered(records: &[Record], tampering: &Tampering) -> (Vec<Bytes>, usize) {
    let mut stored: Vec<_> = records.iter().map(|record| record.stored.clone()).collect();
    let flip = |bytes: &Bytes, bit: usize| {
        let mut bytes = bytes.to_vec();
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        Bytes::from(bytes)
    };
    let first = match tampering {
        Tampering::FlipBit { place, bit } => {
            stored[*place] = flip(&stored[*place], *bit);
            *place
        }
        Tampering::Remove { place } => {
            stored.remove(*place);
            *place
        }
        Tampering::Swap { place, other } => {
            stored.swap(*place, *other);
            *place.min(other)
        }
        Tampering::CopyOver { place, other } => {
            stored[*place] = stored[*other].clone();
            *place
        }
        Tampering::Truncate { length } => {
            stored.truncate(*length);
            *length
        }
        Tampering::AppendForged { body, bit } => {
            // At the right position, but with another hash before it.
            let head = records.last().map(Record::head).expect("a record");
            let mut hash = head.hash;
            hash.0[bit / 8] ^= 1 << (bit % 8);
            stored.push(forged(Head { hash, ..head }, body.clone().into()).stored);
            RECORDS
        }
        Tampering::Rewrite { place } => {
            let before = place.checked_sub(1).map(|place| records[place].head());
            let mut head = before.unwrap_or_default();
            for (place, stored) in stored.iter_mut().enumerate().skip(*place) {
                let record = forged(head, body(place + 1, "others"));
                head = record.head();
                *stored = record.stored;
            }
            *place
        }
    };
    (stored, first + 1)
}

/// A record with right hashes, as anyone who knows the layout can make it.
fn forged(head: Head, body: Bytes) -> Record {
    use sha2::{Digest as _, Sha256};
    let mut stored = head.hash.0.to_vec();
    stored.push(1);
    stored.extend(head.position.next().0.to_be_bytes());
    stored.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    stored.extend(body);
    let hash = Sha256::digest(&stored);
    stored.extend(hash);
    Record::parse(stored.into()).expect("a record")
}

/// The first wrong position that an auditor finds who has the hash anchor `noted`.
fn first_wrong(stored: &[Bytes], anchors: &[Record]) -> Option<usize> {
    let mut verifier =
        Verifier::new(anchors.iter().map(|record| record.head().into())).expect("no anchor at 0");
    let mut pushed = stored.iter().map(|record| {
        let event = UserPoolEvent { record: Some(record.clone()), ..decoded(record) };
        verifier.push_event(&event).map(drop)
    });
    let wrong = pushed.find_map(Result::err).or_else(|| verifier.finish().err())?;
    Some(usize::try_from(wrong.position.0).expect("small"))
}

/// The decoded event that a server would show beside the record, if it has one.
fn decoded(stored: &Bytes) -> UserPoolEvent {
    let record = Record::parse(stored.clone());
    record.ok().and_then(|record| audit::decode_with_record(&record).ok()).unwrap_or_default()
}

#[tokio::test]
async fn every_change_to_a_record_is_found_at_its_position() {
    let records = log().await;
    let untouched: Vec<_> = records.iter().map(|record| record.stored.clone()).collect();
    assert_eq!(first_wrong(&untouched, &[]), None);
    assert_eq!(first_wrong(&untouched, &records), None);

    let config = ProptestConfig { cases: CHANGES, failure_persistence: None, ..Default::default() };
    let tried = TestRunner::new(config).run(&tampering(), |tampering| {
        let (stored, first) = tampered(&records, &tampering);
        let from_within = match tampering {
            // A change that is consistent in itself shows only against a hash anchor.
            Tampering::Truncate { length } => {
                let last = length.checked_sub(1).map(|last| &records[last]);
                last.is_some_and(|last| !last.is_last_in_batch()).then_some(first)
            }
            Tampering::Rewrite { .. } => None,
            Tampering::FlipBit { .. }
            | Tampering::Remove { .. }
            | Tampering::Swap { .. }
            | Tampering::CopyOver { .. }
            | Tampering::AppendForged { .. } => Some(first),
        };
        prop_assert_eq!(first_wrong(&stored, &[]), from_within);
        prop_assert_eq!(first_wrong(&stored, &records), Some(first));
        Ok(())
    });
    tried.expect("no failing case");
}

#[test]
fn a_checkpoint_without_a_key_is_not_signed() {
    let (verifier, key) = (Verifier::default(), Some(PublicKey([7; 32])));
    let signed = LogCheckpoint { key, ..Head::default().into() };
    for expected in [None, key] {
        let expected = expected.map(|key| LogKey { name: None, key });
        let trust = Trust::new(Vec::new(), expected.as_ref()).expect("no conflict");
        verifier.finish_signed(signed, &trust).expect("signed");
        let unsigned = LogCheckpoint { key: None, ..signed };
        let mismatch = verifier.finish_signed(unsigned, &trust).expect_err("not signed");
        assert!(mismatch.cause.to_string().contains("is not signed"), "{mismatch:?}");
    }
}
