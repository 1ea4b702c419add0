//! Signing keys as files, and the signatures that are refused although Ed25519 leaves
//! them to the verifier.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use data_encoding::HEXLOWER;
use prost_types::Timestamp;
use tempfile::TempDir;
use userpool::{
    audit::checkpoint::{self, CheckpointError, KeyError, Signer},
    proto::SignedCheckpoint,
};

/// The key of 32 bytes 7, with and without its public key.
const PEM: [&str; 2] = [
    "MFECAQEwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n\
     gSEA6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=",
    "MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
];
const PUBLIC_KEY: &str = "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c";

fn open(directory: &Path, pem: &str) -> Result<Signer, KeyError> {
    let path = directory.join("signing_key.pem");
    fs::write(&path, pem).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("closed");
    Signer::open(&path, &directory.join("checkpoints.jsonl"))
}

fn private_key(base64: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")
}

/// What that key signed in an early build, whose checkpoints had no tree. openssl made the same
/// signature.
fn signed() -> SignedCheckpoint {
    let hexadecimal = |text: &str| HEXLOWER.decode(text.as_bytes()).expect("hexadecimal");
    SignedCheckpoint {
        position: 1,
        hash: vec![0x11; 32],
        time: Some(Timestamp { seconds: 1_512_950_400, nanos: 0 }),
        public_key: hexadecimal(PUBLIC_KEY),
        signature: hexadecimal(
            "c29c819ae2b712c3fd497c0f42c8412cc4192434d29a414c0059d44274ee04e3\
             ddbdacb5cb4f906366f5243e680524c322ac69f2c06efc835c0634c6b80da400",
        ),
        ..SignedCheckpoint::default()
    }
}

/// Auditors may hold one.
#[test]
fn a_checkpoint_of_an_early_build_is_valid() {
    let verified = checkpoint::verify(&signed()).expect("a right signature");
    assert_eq!((verified.head.position.0, verified.root), (1, None));
    let changed = SignedCheckpoint { position: 2, ..signed() };
    assert_eq!(checkpoint::verify(&changed), Err(CheckpointError::WrongSignature));
    // It cannot be passed off as a checkpoint with a tree.
    let with_root = SignedCheckpoint { root_hash: vec![0; 32], ..signed() };
    assert!(checkpoint::verify(&with_root).is_err());
}

#[test]
fn a_key_is_read_with_and_without_its_public_key() {
    let directory = TempDir::new().expect("a directory");
    for base64 in PEM {
        let signer = open(directory.path(), &private_key(base64)).expect("a key");
        assert_eq!(HEXLOWER.encode(&signer.public_key()), PUBLIC_KEY);
    }
}

#[test]
fn a_key_that_is_not_ed25519_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let p256 = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    // The private key of one pair with the public key of another.
    let mismatched = private_key(&PEM[0].replace("6kps", "6kpt"));
    for pem in ["", "nothing", &p256, &mismatched, &private_key("AAAA")] {
        let error = open(directory.path(), pem).expect_err(pem);
        assert!(matches!(error, KeyError::NotAKey(_)), "{pem}: {error}");
    }
}

#[test]
fn openssl_reads_a_new_key_and_finds_the_same_public_key() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("signing_key.pem");
    let signer = Signer::open(&path, &directory.path().join("none")).expect("a key");
    let openssl = Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(path).output();
    let output = openssl.expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), signer.public_key_pem());
}

/// Anybody can make one that fits every message.
#[test]
fn a_signature_with_a_key_of_small_order_is_refused() {
    let identity = [[1].as_slice(), &[0; 31]].concat();
    let forged = SignedCheckpoint {
        public_key: identity.clone(),
        signature: [identity.as_slice(), &[0; 32]].concat(),
        ..signed()
    };
    assert_eq!(checkpoint::verify(&forged), Err(CheckpointError::WrongSignature));
}

/// Its R is the identity, and its S fits the key: without a rule against it, it is right.
#[test]
fn a_signature_with_an_r_of_small_order_is_refused() {
    let r = [[1].as_slice(), &[0; 31]].concat();
    let s = HEXLOWER.decode(b"d58cb3ca6bbca4e4790c6eb610ee3a161dbc17aae2f83c51a383e433dbaac40a");
    let signature = [r, s.expect("hexadecimal")].concat();
    let odd = SignedCheckpoint { signature, ..signed() };
    assert_eq!(checkpoint::verify(&odd), Err(CheckpointError::WrongSignature));
}

/// Otherwise everybody could make a second signature of the first.
#[test]
fn a_signature_whose_s_is_not_canonical_is_refused() {
    const ORDER: &[u8; 64] = b"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let mut signed = signed();
    assert!(checkpoint::verify(&signed).is_ok());
    let order = HEXLOWER.decode(ORDER).expect("hexadecimal");
    let mut carry = 0;
    for (byte, add) in signed.signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert_eq!(checkpoint::verify(&signed), Err(CheckpointError::WrongSignature));
}
