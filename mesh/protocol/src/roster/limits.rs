//! The roster's limits, the same on all hosts: a statement past one of them is refused by its signer already.

/// The largest statement: [`ADDRESSES`] of the longest addresses, or a reason beside a grant, and as much again for a
/// newer build's fields.
pub const STATEMENT_BYTES: usize = 8_192;
/// The largest grant of an issuer, which each statement of that issuer carries: a certificate and room for more.
pub const GRANT_BYTES: usize = 4_096;
/// The longest certificate of an issuer: they have some 400 bytes.
pub const CERTIFICATE_BYTES: usize = 2_048;
/// The longest name of a host: a DNS name.
pub const NAME_BYTES: usize = 255;
/// The longest reason of a revocation: a paragraph.
pub const REASON_BYTES: usize = 1_024;
/// Addresses of one node: some interfaces in two families, and what is seen from outside.
pub const ADDRESSES: usize = 16;
/// The longest address: a DNS name, a colon and a port.
pub const ADDRESS_BYTES: usize = NAME_BYTES + 6;
/// The longest version of a program.
pub const VERSION_BYTES: usize = 64;
/// Statements of a mesh that aren't revocations: some five for each node that ever was. Beyond, new ones are refused with a
/// clear error; those that take an older one's place are not.
pub const STATEMENTS: usize = 65_536;
/// Revocations of a mesh. They have a limit of their own: who floods the roster must still be revocable.
pub const REVOCATIONS: usize = 16_384;
/// Nodes whose own statements may wait for their admission, which is mostly in the same message.
pub(super) const EARLY: usize = 256;
