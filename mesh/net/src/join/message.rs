//! The two messages of a join: a request, signed by the joiner's key, and an answer.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};
use ring::hmac;
use rustls_pki_types::CertificateDer;

use super::request::JoinKind;
use super::{Exporter, JoinRefusal};
use crate::identity::Anchors;
use crate::limits::{CERTIFICATE_BYTES, NAME_BYTES, STATEMENT_BYTES, STATEMENTS, STATEMENTS_BYTES};

const VERSION: u8 = 1;
const REDEEM: u8 = 1;
const RENEW: u8 = 2;
const ACCEPTED: u8 = 1;
const REFUSED: u8 = 2;
/// Certificates of a chain, at most: room for longer ones of later builds.
const CHAIN_CERTIFICATES: usize = 4;
const SIGNATURE_BYTES: usize = 64;

const PROOF_CONTEXT: &[u8] = b"murmurate join proof 1\0";
const POSSESSION_CONTEXT: &[u8] = b"murmurate join request 1\0";

/// What a joiner says, as far as it is in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) kind: JoinKind,
    pub(super) public_key: [u8; 32],
    pub(super) name: String,
}

/// What an issuer gives to whom it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinAnswer {
    /// The member's certificate and its issuer's.
    pub chain: Vec<CertificateDer<'static>>,
    /// What the mesh trusts.
    pub anchors: Anchors,
    /// The roster's statements, each as its bytes: at most 16,384 of at most 8 KiB, 4 MiB together.
    pub statements: Vec<Vec<u8>>,
}

/// What an issuer says.
pub(super) type Answer = Result<JoinAnswer, JoinRefusal>;

fn invalid(what: &'static str, why: &'static str) -> DecodeError {
    DecodeError::Invalid { what, why }
}

fn proof_message(exporter: &Exporter, public_key: &[u8; 32], name: &str) -> Vec<u8> {
    [PROOF_CONTEXT, exporter, public_key, name.as_bytes()].concat()
}

/// The proof that whoever asks on this connection, for this key and name, knows the ticket's secret: HMAC-SHA-256.
pub(super) fn prove(secret: &[u8; 16], exporter: &Exporter, public_key: &[u8; 32], name: &str) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &proof_message(exporter, public_key, name));
    let mut proof = [0; 32];
    proof.copy_from_slice(tag.as_ref());
    proof
}

/// Whether the proof is right; takes the same time for any wrong one.
pub(super) fn proves(
    secret: &[u8; 16],
    exporter: &Exporter,
    public_key: &[u8; 32],
    name: &str,
    proof: &[u8; 32],
) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::verify(&key, &proof_message(exporter, public_key, name), proof).is_ok()
}

fn possession_message(exporter: &Exporter, body: &[u8]) -> Vec<u8> {
    [POSSESSION_CONTEXT, exporter, body].concat()
}

impl Request {
    /// The body of the message, signed with the key that it names.
    pub(super) fn encode(&self, key: &SigningKey, exporter: &Exporter) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.u8(VERSION).u8(match self.kind {
            JoinKind::Redeem { .. } => REDEEM,
            JoinKind::Renew => RENEW,
        });
        encoder.raw(&self.public_key).text(&self.name);
        if let JoinKind::Redeem { ticket, proof } = &self.kind {
            encoder.raw(ticket).raw(proof);
        }
        let mut body = encoder.finish();
        let signature = key.sign(&possession_message(exporter, &body));
        body.extend_from_slice(&signature.to_bytes());
        body
    }

    /// Reads a body, and checks that the joiner holds its key. What stands between the known fields and the signature is a
    /// later build's, and skipped.
    pub(super) fn decode(bytes: &[u8], exporter: &Exporter) -> Result<Self, DecodeError> {
        let (body, signature) =
            bytes.split_last_chunk::<SIGNATURE_BYTES>().ok_or(DecodeError::Truncated("signature"))?;
        let request = Self::decode_body(body)?;
        let key = VerifyingKey::from_bytes(&request.public_key).map_err(|_| invalid("public key", "not a key"))?;
        key.verify_strict(&possession_message(exporter, body), &Signature::from_bytes(signature))
            .map_err(|_| invalid("signature", "not that of the public key, on this connection"))?;
        Ok(request)
    }

    pub(super) fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(body);
        if decoder.u8("version")? != VERSION {
            return Err(invalid("version", "not 1"));
        }
        let kind = decoder.u8("kind")?;
        let public_key = decoder.array("public key")?;
        let name = decoder.text(NAME_BYTES, "name")?.to_owned();
        let kind = match kind {
            REDEEM => JoinKind::Redeem { ticket: decoder.array("ticket")?, proof: decoder.array("proof")? },
            RENEW => JoinKind::Renew,
            _ => return Err(invalid("kind", "neither redeem nor renew")),
        };
        Ok(Self { kind, public_key, name })
    }
}

/// The body of an answer.
pub(super) fn encode_answer(answer: &Answer) -> Vec<u8> {
    let mut encoder = Encoder::new();
    encoder.u8(VERSION);
    match answer {
        Ok(answer) => {
            encoder.u8(ACCEPTED).varint(answer.chain.len() as u64);
            for certificate in &answer.chain {
                encoder.bytes(certificate);
            }
            encoder.bytes(answer.anchors.authority()).bytes(answer.anchors.recovery());
            encoder.varint(answer.statements.len() as u64);
            for statement in &answer.statements {
                encoder.bytes(statement);
            }
        }
        Err(refusal) => refusal.encode(encoder.u8(REFUSED)),
    }
    encoder.finish()
}

/// Reads the body of an answer. What follows the known fields is a later build's, and skipped.
pub(super) fn decode_answer(bytes: &[u8]) -> Result<Answer, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    if decoder.u8("version")? != VERSION {
        return Err(invalid("version", "not 1"));
    }
    match decoder.u8("outcome")? {
        ACCEPTED => decode_accepted(&mut decoder).map(Ok),
        REFUSED => JoinRefusal::decode(&mut decoder).map(Err),
        _ => Err(invalid("outcome", "neither accepted nor refused")),
    }
}

fn decode_accepted(decoder: &mut Decoder<'_>) -> Result<JoinAnswer, DecodeError> {
    let count = decoder.size(CHAIN_CERTIFICATES, "certificates")?;
    let chain = (0..count).map(|_| decode_certificate(decoder)).collect::<Result<_, _>>()?;
    let (authority, recovery) = (decode_certificate(decoder)?, decode_certificate(decoder)?);
    let anchors = Anchors::new(authority, recovery).map_err(|_| invalid("anchors", "not two of one mesh"))?;
    let count = decoder.size(STATEMENTS, "statements")?;
    let mut statements = Vec::new();
    for _ in 0..count {
        statements.push(decoder.bytes(STATEMENT_BYTES, "statement")?.to_vec());
    }
    Ok(JoinAnswer { chain, anchors, statements })
}

fn decode_certificate(decoder: &mut Decoder<'_>) -> Result<CertificateDer<'static>, DecodeError> {
    Ok(decoder.bytes(CERTIFICATE_BYTES, "certificate")?.to_vec().into())
}

/// Whether the answer is within the limits that the other side reads it with.
pub(super) fn fits(answer: &JoinAnswer) -> bool {
    answer.chain.len() <= CHAIN_CERTIFICATES
        && answer.statements.len() <= STATEMENTS
        && answer.statements.iter().all(|statement| statement.len() <= STATEMENT_BYTES)
        && answer.statements.iter().map(Vec::len).sum::<usize>() <= STATEMENTS_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Random;
    use crate::identity::ThrowawayMesh;
    use crate::limits::REFUSAL_TEXT_BYTES;
    use murmurate_crdt::id::MeshId;
    use proptest::prelude::*;

    const EXPORTER: Exporter = [6; 32];
    const SECRET: [u8; 16] = [5; 16];

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn public_key() -> [u8; 32] {
        key().verifying_key().to_bytes()
    }

    fn redeem() -> Request {
        let proof = prove(&SECRET, &EXPORTER, &public_key(), "web-1");
        Request { kind: JoinKind::Redeem { ticket: [4; 8], proof }, public_key: public_key(), name: "web-1".to_owned() }
    }

    fn renew() -> Request {
        Request { kind: JoinKind::Renew, public_key: public_key(), name: "höst".to_owned() }
    }

    fn accepted() -> JoinAnswer {
        let mesh = ThrowawayMesh::new(MeshId([1; 16]), &mut Random::seeded(1).rng(), 1_780_000_000_000).unwrap();
        let chain = mesh.issuer().issue(&public_key(), "web-1", 1_780_000_000_000, 1_782_592_000_000).unwrap();
        let statements = vec![b"one".to_vec(), Vec::new(), vec![3; 200]];
        JoinAnswer { chain, anchors: mesh.anchors().clone(), statements }
    }

    /// The bytes in a golden file: lines of hexadecimal digits, after lines with a name.
    fn golden(text: &str) -> Vec<u8> {
        let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
        data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap()
    }

    #[test]
    fn requests_of_an_earlier_build_are_still_read() {
        let rows = [
            (redeem(), include_str!("../../tests/golden/join-redeem.hex")),
            (renew(), include_str!("../../tests/golden/join-renew.hex")),
        ];
        for (request, text) in rows {
            assert_eq!(Request::decode(&golden(text), &EXPORTER), Ok(request.clone()));
            assert_eq!(request.encode(&key(), &EXPORTER), golden(text));
        }
    }

    #[test]
    fn answers_of_an_earlier_build_are_still_read() {
        let rows = [
            (Ok(accepted()), include_str!("../../tests/golden/join-accepted.hex")),
            (Err(JoinRefusal::Used), include_str!("../../tests/golden/join-refused.hex")),
        ];
        for (answer, text) in rows {
            assert_eq!(decode_answer(&golden(text)), Ok(answer.clone()));
            assert_eq!(encode_answer(&answer), golden(text));
        }
    }

    #[test]
    fn the_golden_answer_has_the_golden_fingerprint() {
        let fingerprint = golden(include_str!("../../tests/golden/fingerprint.hex"));
        assert_eq!(accepted().anchors.fingerprint().as_slice(), fingerprint);
    }

    #[test]
    fn every_refusal_is_read_back_and_one_of_a_later_build_as_its_words() {
        let numbered = JoinRefusal::NUMBERED.map(|(_, refusal)| refusal).into_iter();
        for refusal in numbered.chain([JoinRefusal::Other("because".to_owned())]) {
            assert_eq!(decode_answer(&encode_answer(&Err(refusal.clone()))), Ok(Err(refusal)));
        }
        let mut garbage = Encoder::new();
        garbage.u8(VERSION).u8(REFUSED).varint(999).bytes(&[0xff; REFUSAL_TEXT_BYTES]);
        let read = decode_answer(&garbage.finish()).unwrap();
        assert_eq!(decode_answer(&encode_answer(&read)), Ok(read), "what is no text grows no larger by being replaced");
        let mut later = Encoder::new();
        later.u8(VERSION).u8(REFUSED).varint(999).text("a later\nreason").text("and more");
        assert_eq!(decode_answer(&later.finish()), Ok(Err(JoinRefusal::Other("a later\u{fffd}reason".to_owned()))));
    }

    #[test]
    fn fields_of_later_builds_are_skipped() {
        let mut body = redeem().encode(&key(), &EXPORTER);
        body.truncate(body.len() - SIGNATURE_BYTES);
        body.extend_from_slice(b"later");
        let signature = key().sign(&possession_message(&EXPORTER, &body));
        body.extend_from_slice(&signature.to_bytes());
        assert_eq!(Request::decode(&body, &EXPORTER), Ok(redeem()));
        let mut answer = encode_answer(&Ok(accepted()));
        answer.extend_from_slice(b"later");
        assert_eq!(decode_answer(&answer), Ok(Ok(accepted())));
    }

    #[test]
    fn a_request_is_worth_nothing_on_another_connection_or_for_another_key() {
        let bytes = redeem().encode(&key(), &EXPORTER);
        assert!(Request::decode(&bytes, &[9; 32]).is_err());
        let other = SigningKey::from_bytes(&[8; 32]);
        assert!(Request::decode(&redeem().encode(&other, &EXPORTER), &EXPORTER).is_err());
    }

    #[test]
    fn a_proof_is_worth_nothing_for_another_secret_connection_key_or_name() {
        let proof = prove(&SECRET, &EXPORTER, &public_key(), "web-1");
        assert!(proves(&SECRET, &EXPORTER, &public_key(), "web-1", &proof));
        assert!(!proves(&[9; 16], &EXPORTER, &public_key(), "web-1", &proof));
        assert!(!proves(&SECRET, &[9; 32], &public_key(), "web-1", &proof));
        assert!(!proves(&SECRET, &EXPORTER, &[9; 32], "web-1", &proof));
        assert!(!proves(&SECRET, &EXPORTER, &public_key(), "web-2", &proof));
    }

    #[test]
    fn an_answer_past_the_limits_is_not_sent() {
        assert!(fits(&accepted()));
        assert!(!fits(&JoinAnswer { statements: vec![vec![0; STATEMENT_BYTES + 1]], ..accepted() }));
        assert!(!fits(&JoinAnswer { statements: vec![Vec::new(); STATEMENTS + 1], ..accepted() }));
        let many = vec![vec![0; STATEMENT_BYTES]; STATEMENTS_BYTES / STATEMENT_BYTES + 1];
        assert!(!fits(&JoinAnswer { statements: many, ..accepted() }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(
            which in 0..4,
            flips in proptest::collection::vec((0..3_000_usize, any::<u8>()), 0..6),
            cut in 0..3_000_usize,
            tail: Vec<u8>,
        ) {
            let mut bytes = match which {
                0 => redeem().encode(&key(), &EXPORTER),
                1 => encode_answer(&Ok(accepted())),
                2 => encode_answer(&Err(JoinRefusal::Other("x".repeat(99)))),
                _ => Vec::new(),
            };
            for (index, byte) in flips {
                if let Some(length) = std::num::NonZeroUsize::new(bytes.len()) {
                    bytes[index % length] = byte;
                }
            }
            bytes.truncate(cut);
            bytes.extend(tail);
            let _ = Request::decode_body(&bytes);
            let _ = Request::decode(&bytes, &EXPORTER);
            if let Ok(answer) = decode_answer(&bytes) {
                prop_assert_eq!(decode_answer(&encode_answer(&answer)), Ok(answer));
            }
        }
    }
}
