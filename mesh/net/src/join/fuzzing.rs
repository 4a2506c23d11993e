//! What whoever reaches the port, or made a ticket, can say.

use ed25519_dalek::SigningKey;

use super::message::{Request, decode_answer, encode_answer, fits};
use super::{EXPORTER_BYTES, JoinKind, Ticket};

/// A ticket's text: one that is read is written as one that reads the same. Any bytes as a ticket's content, with a right
/// checksum: the same.
pub fn ticket(data: &[u8]) {
    let texts = [std::str::from_utf8(data).ok().map(str::to_owned), Some(Ticket::sealed(data))];
    for text in texts.into_iter().flatten() {
        let Ok(ticket) = text.parse::<Ticket>() else { continue };
        assert_eq!(ticket.to_string().parse().as_ref(), Ok(&ticket));
        assert!(!format!("{ticket:?}").contains(&format!("{:?}", ticket.secret)), "the secret is shown");
    }
}

/// A request to join, as it came, and signed with its own key: what is read is written again as the same.
pub fn request(data: &[u8]) {
    let exporter = [6; EXPORTER_BYTES];
    let _ = Request::decode(data, &exporter);
    let key = SigningKey::from_bytes(&[7; 32]);
    let public_key = key.verifying_key().to_bytes();
    let Ok(Request { kind, name, .. }) = Request::decode_body(data) else { return };
    let renews = matches!(kind, JoinKind::Renew);
    let request = Request { kind, public_key, name };
    let bytes = request.encode(&key, &exporter);
    assert!(renews || bytes.len() <= data.len() + 64);
    assert_eq!(Request::decode(&bytes, &exporter), Ok(request));
}

/// An issuer's answer: what is read is no larger than its bytes, and is written as one that reads the same.
pub fn answer(data: &[u8]) {
    let Ok(answer) = decode_answer(data) else { return };
    if answer.as_ref().is_ok_and(|answer| !fits(answer)) {
        return;
    }
    let bytes = encode_answer(&answer);
    assert_eq!(decode_answer(&bytes), Ok(answer));
}
