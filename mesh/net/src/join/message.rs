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
    /// The roster's statements, each as its bytes: at most 16,384 of at most 4 KiB, 4 MiB together.
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

    fn decode_body(body: &[u8]) -> Result<Self, DecodeError> {
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
