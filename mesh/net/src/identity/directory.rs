//! The identity directory. Keys and certificates are PEM, keys PKCS #8 and readable by their owner only. Every change is
//! atomic and durable.
//!
//! ```text
//!  node.key       who this node is          node.crt     its certificate and its issuer's
//!  issuer.key     for being an issuer       issuer.crt   at an issuer: by whom it was made one
//!  authority.key  where the mesh was made   anchors.crt  the authority's certificate, the recovery key's
//!  mesh.id        the mesh                  statements   of the roster, as this node was given them when it joined
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use murmurate_crdt::id::MeshId;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};
use rustls_pki_types::CertificateDer;

use super::{Anchors, Authority, Identity, IdentityError, Issuer, private_key_der};
use crate::limits::{IDENTITY_FILE_BYTES, STATEMENTS_BYTES};

const NODE_KEY: &str = "node.key";
const NODE_CERTIFICATE: &str = "node.crt";
const ANCHORS: &str = "anchors.crt";
const ISSUER_KEY: &str = "issuer.key";
const ISSUER_CERTIFICATE: &str = "issuer.crt";
const AUTHORITY_KEY: &str = "authority.key";
const STATEMENTS: &str = "statements";
const MESH_ID: &str = "mesh.id";

const PRIVATE_KEY_LABEL: &str = "PRIVATE KEY";
const CERTIFICATE_LABEL: &str = "CERTIFICATE";

const SECRET_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o700;

/// Why an identity couldn't be read or written. After an error while writing, what was there before still is.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file isn't there.
    #[error(
        "{path} is missing; this node has no identity there: make one with `init` or `join`, or name its directory"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is an identity already.
    #[error("{path} exists already; nothing was written, because an identity is never overwritten")]
    Exists {
        /// The directory or file.
        path: PathBuf,
    },
    /// A key may be read by others.
    #[error(
        "{path} may be read by others (mode {mode:03o}); run `chmod 600 {path}`, and renew the key if others use this host"
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file couldn't be read or written.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{path} is not {expected}: {why}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The files don't belong together.
    #[error("the files in {path} don't belong together: {source}")]
    Mismatch {
        /// The directory.
        path: PathBuf,
        /// What doesn't match.
        source: IdentityError,
    },
    /// `mesh.id` names another mesh than the certificate.
    #[error("the files in {path} don't belong together: mesh.id says {said}, the certificate {certified}")]
    Mesh {
        /// The directory.
        path: PathBuf,
        /// What `mesh.id` says.
        said: MeshId,
        /// What the certificate says.
        certified: MeshId,
    },
}

/// A new identity, and what else is written with it.
#[derive(Debug)]
pub struct NewDirectory<'a> {
    /// Who the node is.
    pub identity: &'a Identity,
    /// With what it would issue certificates, once it is made an issuer.
    pub issuer_key: &'a SigningKey,
    /// By what it is an issuer, if it is one.
    pub issuer_certificate: Option<&'a CertificateDer<'static>>,
    /// The authority's key, where the mesh is made.
    pub authority_key: Option<&'a SigningKey>,
    /// The roster's statements that it was given.
    pub statements: &'a [Vec<u8>],
}

/// Reads the identity in `directory`.
///
/// # Errors
/// When a file is missing, unreadable, open to others or doesn't match the rest.
pub fn load(directory: &Path) -> Result<Identity, DirectoryError> {
    let key = read_key(&directory.join(NODE_KEY))?;
    let chain = read_certificates(&directory.join(NODE_CERTIFICATE))?;
    let anchors = read_anchors(directory)?;
    let said = read_mesh(directory)?;
    let path = || directory.to_owned();
    let identity =
        Identity::new(key, chain, anchors).map_err(|source| DirectoryError::Mismatch { path: path(), source })?;
    if identity.mesh() != said {
        return Err(DirectoryError::Mesh { path: path(), said, certified: identity.mesh() });
    }
    Ok(identity)
}

/// Reads the authority's key in `directory`, where the mesh was made.
///
/// # Errors
/// When a file is unreadable, open to others or doesn't match the rest.
pub fn load_authority(directory: &Path) -> Result<Option<Authority>, DirectoryError> {
    let Some(key) = if_there(read_key(&directory.join(AUTHORITY_KEY)))? else { return Ok(None) };
    let authority = read_anchors(directory)?.with_key(key);
    authority.map(Some).map_err(|source| DirectoryError::Mismatch { path: directory.to_owned(), source: source.into() })
}

/// Reads the key with which this node issues certificates once it is made an issuer.
///
/// # Errors
/// When the file is missing, unreadable, open to others or no key.
pub fn load_issuer_key(directory: &Path) -> Result<SigningKey, DirectoryError> {
    read_key(&directory.join(ISSUER_KEY))
}

/// Reads what makes this node an issuer, if it is one.
///
/// # Errors
/// When a file is unreadable, open to others or doesn't match the rest.
pub fn load_issuer(directory: &Path) -> Result<Option<Issuer>, DirectoryError> {
    let path = directory.join(ISSUER_CERTIFICATE);
    let Some(certificates) = if_there(read_certificates(&path))? else { return Ok(None) };
    let [certificate] = <[_; 1]>::try_from(certificates).map_err(|certificates| DirectoryError::Content {
        path,
        expected: "an issuer's certificate in PEM",
        why: format!("it holds {} certificates", certificates.len()),
    })?;
    let issuer = Issuer::new(load_issuer_key(directory)?, certificate);
    issuer.map(Some).map_err(|source| DirectoryError::Mismatch { path: directory.to_owned(), source: source.into() })
}

/// Reads the roster's statements that this node was given.
///
/// # Errors
/// When the file is missing, unreadable or damaged.
pub fn load_statements(directory: &Path) -> Result<Vec<Vec<u8>>, DirectoryError> {
    let path = directory.join(STATEMENTS);
    let content = read(&path, STATEMENTS_BYTES, false)?;
    decode_statements(&content).map_err(|error| DirectoryError::Content {
        path,
        expected: "a list of the roster's statements",
        why: error.to_string(),
    })
}

/// Reads a private key in PEM, for example the recovery key's.
///
/// # Errors
/// When the file is missing, unreadable, open to others or no Ed25519 key.
pub fn load_key(path: &Path) -> Result<SigningKey, DirectoryError> {
    read_key(path)
}

/// Writes a new identity to `directory`, which must not exist: either all of it is there afterwards, or nothing.
///
/// # Errors
/// When there is something already, or a file can't be written.
pub fn save(directory: &Path, new: &NewDirectory<'_>) -> Result<(), DirectoryError> {
    if directory.symlink_metadata().is_ok() {
        return Err(DirectoryError::Exists { path: directory.to_owned() });
    }
    let staging = directory.with_extension("new");
    // What a crash left there was never used.
    ignore_missing(fs::remove_dir_all(&staging)).map_err(io("removing", &staging))?;
    create_directory(&staging)?;
    let anchors = new.identity.anchors();
    write_key(&staging.join(NODE_KEY), new.identity.key())?;
    write_certificates(&staging.join(NODE_CERTIFICATE), new.identity.chain())?;
    write_certificates(&staging.join(ANCHORS), &[anchors.authority().clone(), anchors.recovery().clone()])?;
    write(&staging.join(MESH_ID), format!("{}\n", new.identity.mesh()).as_bytes(), PUBLIC_MODE)?;
    write_key(&staging.join(ISSUER_KEY), new.issuer_key)?;
    if let Some(certificate) = new.issuer_certificate {
        write_certificates(&staging.join(ISSUER_CERTIFICATE), std::slice::from_ref(certificate))?;
    }
    if let Some(key) = new.authority_key {
        write_key(&staging.join(AUTHORITY_KEY), key)?;
    }
    write(&staging.join(STATEMENTS), &encode_statements(new.statements), PUBLIC_MODE)?;
    sync_directory(&staging)?;
    fs::rename(&staging, directory).map_err(io("renaming to", directory))?;
    sync_parent(directory)
}

/// Writes a private key to a file that must not exist, readable by its owner only.
///
/// # Errors
/// When there is something already, or the file can't be written.
pub fn save_key(path: &Path, key: &SigningKey) -> Result<(), DirectoryError> {
    if path.symlink_metadata().is_ok() {
        return Err(DirectoryError::Exists { path: path.to_owned() });
    }
    replace(path, |staged| write_key(staged, key))
}

/// Writes the authority's key beside an identity.
///
/// # Errors
/// When there is one already, or the file can't be written.
pub fn save_authority(directory: &Path, authority: &Authority) -> Result<(), DirectoryError> {
    save_key(&directory.join(AUTHORITY_KEY), authority.key())
}

/// Replaces the node's certificate and its issuer's, after a renewal.
///
/// # Errors
/// When the file can't be written; the old certificates are still there then.
pub fn save_certificates(directory: &Path, chain: &[CertificateDer<'static>]) -> Result<(), DirectoryError> {
    replace(&directory.join(NODE_CERTIFICATE), |staged| write_certificates(staged, chain))
}

/// Writes, or replaces, what makes the node an issuer.
///
/// # Errors
/// When the file can't be written; what was there before still is then.
pub fn save_issuer(directory: &Path, certificate: &CertificateDer<'static>) -> Result<(), DirectoryError> {
    replace(&directory.join(ISSUER_CERTIFICATE), |staged| write_certificates(staged, std::slice::from_ref(certificate)))
}

/// Replaces the roster's statements.
///
/// # Errors
/// When the file can't be written; what was there before still is then.
pub fn save_statements(directory: &Path, statements: &[Vec<u8>]) -> Result<(), DirectoryError> {
    replace(&directory.join(STATEMENTS), |staged| write(staged, &encode_statements(statements), PUBLIC_MODE))
}

/// Nothing, where there is no such file.
fn if_there<T>(result: Result<T, DirectoryError>) -> Result<Option<T>, DirectoryError> {
    match result {
        Err(DirectoryError::Missing { .. }) => Ok(None),
        result => result.map(Some),
    }
}

/// Each statement with its length in front.
fn encode_statements(statements: &[Vec<u8>]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    for statement in statements {
        encoder.bytes(statement);
    }
    encoder.finish()
}

fn decode_statements(bytes: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let mut statements = Vec::new();
    while !decoder.is_empty() {
        statements.push(decoder.bytes(STATEMENTS_BYTES, "statement")?.to_vec());
    }
    Ok(statements)
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::NotFound if doing == "reading" => DirectoryError::Missing { path },
        _ => DirectoryError::Io { doing, path, source },
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Writes a file beside `path` and renames it over.
fn replace(path: &Path, write_staged: impl FnOnce(&Path) -> Result<(), DirectoryError>) -> Result<(), DirectoryError> {
    let staged = path.with_extension("new");
    ignore_missing(fs::remove_file(&staged)).map_err(io("removing", &staged))?;
    write_staged(&staged)?;
    fs::rename(&staged, path).map_err(io("renaming to", path))?;
    sync_parent(path)
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), DirectoryError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(io("creating", path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(io("writing", path))
}

/// Creates a directory for its owner only, and those above that aren't there, so that they outlive a crash.
fn create_directory(path: &Path) -> Result<(), DirectoryError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        create_directory(parent)?;
    }
    DirBuilder::new().mode(DIRECTORY_MODE).create(path).map_err(io("creating", path))?;
    sync_parent(path)
}

fn sync_directory(directory: &Path) -> Result<(), DirectoryError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(io("syncing", directory))
}

fn sync_parent(path: &Path) -> Result<(), DirectoryError> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_directory(Path::new(".")),
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

fn write_key(path: &Path, key: &SigningKey) -> Result<(), DirectoryError> {
    write(path, pem::encode(&pem::Pem::new(PRIVATE_KEY_LABEL, private_key_der(key))).as_bytes(), SECRET_MODE)
}

fn write_certificates(path: &Path, certificates: &[CertificateDer<'static>]) -> Result<(), DirectoryError> {
    let pems: Vec<_> = certificates.iter().map(|der| pem::Pem::new(CERTIFICATE_LABEL, der.to_vec())).collect();
    write(path, pem::encode_many(&pems).as_bytes(), PUBLIC_MODE)
}

/// Reads a bounded file; of a secret one, nobody else may be able to.
fn read(path: &Path, limit: usize, is_secret: bool) -> Result<Vec<u8>, DirectoryError> {
    let file = File::open(path).map_err(io("reading", path))?;
    let mode = file.metadata().map_err(io("reading", path))?.permissions().mode() & 0o777;
    if is_secret && mode & 0o077 != 0 {
        return Err(DirectoryError::Permissions { path: path.to_owned(), mode });
    }
    let mut content = Vec::new();
    file.take(limit as u64).read_to_end(&mut content).map_err(io("reading", path))?;
    Ok(content)
}

fn read_text(path: &Path, is_secret: bool) -> Result<String, DirectoryError> {
    let content = read(path, IDENTITY_FILE_BYTES, is_secret)?;
    String::from_utf8(content).map_err(|error| DirectoryError::Content {
        path: path.to_owned(),
        expected: "text",
        why: error.to_string(),
    })
}

/// Reads what a PEM file holds, all of which must have this label.
fn read_pems(
    path: &Path,
    label: &str,
    expected: &'static str,
    is_secret: bool,
) -> Result<Vec<Vec<u8>>, DirectoryError> {
    let content = |why| DirectoryError::Content { path: path.to_owned(), expected, why };
    let parsed = pem::parse_many(read_text(path, is_secret)?).map_err(|error| content(error.to_string()))?;
    if let Some(other) = parsed.iter().find(|pem| pem.tag() != label) {
        return Err(content(format!("it holds a {}", other.tag())));
    }
    if parsed.is_empty() {
        return Err(content("it holds no PEM".to_owned()));
    }
    Ok(parsed.into_iter().map(pem::Pem::into_contents).collect())
}

/// Reads a private key from the text of its file.
///
/// # Errors
/// In words, when it isn't one Ed25519 key in PEM.
pub fn parse_key(text: &str) -> Result<SigningKey, String> {
    let block = pem::parse(text).map_err(|error| error.to_string())?;
    if block.tag() != PRIVATE_KEY_LABEL {
        return Err(format!("it is a {}, not a {PRIVATE_KEY_LABEL}", block.tag()));
    }
    SigningKey::from_pkcs8_der(block.contents()).map_err(|error| error.to_string())
}

fn read_key(path: &Path) -> Result<SigningKey, DirectoryError> {
    let expected = "an Ed25519 private key in PEM";
    let content = |why| DirectoryError::Content { path: path.to_owned(), expected, why };
    let ders = read_pems(path, PRIVATE_KEY_LABEL, expected, true)?;
    let [der] = ders.as_slice() else { return Err(content(format!("it holds {} keys", ders.len()))) };
    SigningKey::from_pkcs8_der(der).map_err(|error| content(error.to_string()))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, DirectoryError> {
    let ders = read_pems(path, CERTIFICATE_LABEL, "certificates in PEM", false)?;
    Ok(ders.into_iter().map(CertificateDer::from).collect())
}

fn read_anchors(directory: &Path) -> Result<Anchors, DirectoryError> {
    let path = directory.join(ANCHORS);
    let content = |why| DirectoryError::Content {
        path: path.clone(),
        expected: "the certificates of the authority and of the recovery key in PEM",
        why,
    };
    let [authority, recovery] = <[_; 2]>::try_from(read_certificates(&path)?)
        .map_err(|certificates| content(format!("it holds {} certificates", certificates.len())))?;
    Anchors::new(authority, recovery).map_err(|error| content(error.to_string()))
}

fn read_mesh(directory: &Path) -> Result<MeshId, DirectoryError> {
    let path = directory.join(MESH_ID);
    read_text(&path, false)?.trim().parse().map_err(|error: DecodeError| DirectoryError::Content {
        path,
        expected: "a mesh id",
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Random;
    use crate::identity::{ThrowawayMesh, generate_key};

    const PRIVATE: [&str; 3] = [NODE_KEY, ISSUER_KEY, AUTHORITY_KEY];
    const STATEMENT_LIST: [&[u8]; 3] = [b"one", b"", b"three"];

    fn key(seed: u64) -> SigningKey {
        generate_key(&mut Random::seeded(seed).rng())
    }

    fn mesh(seed: u64) -> ThrowawayMesh {
        let id = MeshId([seed.to_le_bytes()[0]; 16]);
        ThrowawayMesh::new(id, &mut Random::seeded(seed).rng(), 0).unwrap()
    }

    struct Saved {
        _temporary: tempfile::TempDir,
        directory: PathBuf,
        mesh: ThrowawayMesh,
        identity: Identity,
    }

    fn statements() -> Vec<Vec<u8>> {
        STATEMENT_LIST.map(<[u8]>::to_vec).to_vec()
    }

    /// What the first host of a mesh holds.
    fn save_founder(directory: &Path, mesh: &ThrowawayMesh, identity: &Identity) -> Result<(), DirectoryError> {
        let issuer_key = mesh.issuer().key();
        let new = NewDirectory {
            identity,
            issuer_key,
            issuer_certificate: Some(mesh.issuer().certificate()),
            authority_key: Some(mesh.authority().key()),
            statements: &statements(),
        };
        save(directory, &new)
    }

    fn saved(seed: u64) -> Saved {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("state/identity");
        let mesh = mesh(seed);
        let identity = mesh.member(key(seed + 100), "a", 0, 1_000).unwrap();
        save_founder(&directory, &mesh, &identity).unwrap();
        Saved { _temporary: temporary, directory, mesh, identity }
    }

    #[test]
    fn an_identity_is_read_back_and_its_keys_are_for_the_owner_only() {
        let Saved { directory, mesh, identity, .. } = &saved(1);
        let loaded = load(directory).unwrap();
        assert_eq!(loaded.key(), identity.key());
        assert_eq!(loaded.chain(), identity.chain());
        assert_eq!(loaded.anchors(), identity.anchors());
        assert_eq!(loaded.mesh(), identity.mesh());
        assert_eq!(load_authority(directory).unwrap().unwrap().certificate(), mesh.authority().certificate());
        assert_eq!(load_issuer(directory).unwrap().unwrap().certificate(), mesh.issuer().certificate());
        assert_eq!(load_statements(directory).unwrap(), statements());
        for key in PRIVATE {
            assert_eq!(fs::metadata(directory.join(key)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn most_hosts_are_no_issuers_and_may_become_one() {
        let Saved { mesh, identity, .. } = &saved(1);
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("identity");
        let issuer_key = key(5);
        let new = NewDirectory {
            identity,
            issuer_key: &issuer_key,
            issuer_certificate: None,
            authority_key: None,
            statements: &[],
        };
        save(&directory, &new).unwrap();
        assert!(load_authority(&directory).unwrap().is_none());
        assert!(load_issuer(&directory).unwrap().is_none());
        assert_eq!(load_statements(&directory).unwrap(), Vec::<Vec<u8>>::new());
        let public_key = load_issuer_key(&directory).unwrap().verifying_key().to_bytes();
        let granted = mesh.authority().grant(&public_key, identity.node_id(), 0, 1_000).unwrap();
        save_issuer(&directory, &granted).unwrap();
        assert_eq!(load_issuer(&directory).unwrap().unwrap().node(), identity.node_id());
        // One for another key doesn't do.
        save_issuer(&directory, mesh.issuer().certificate()).unwrap();
        assert!(matches!(load_issuer(&directory), Err(DirectoryError::Mismatch { .. })));
    }

    #[test]
    fn an_identity_is_never_overwritten_and_its_certificates_can_be() {
        let Saved { directory, mesh, identity, .. } = &saved(1);
        assert!(matches!(save_founder(directory, mesh, identity), Err(DirectoryError::Exists { .. })));
        assert!(matches!(save_authority(directory, mesh.authority()), Err(DirectoryError::Exists { .. })));
        let renewed = mesh.member(identity.key().clone(), "a", 500, 2_000).unwrap();
        save_certificates(directory, renewed.chain()).unwrap();
        assert_eq!(load(directory).unwrap().chain(), renewed.chain());
        save_statements(directory, &[vec![7; 70_000]]).unwrap();
        assert_eq!(load_statements(directory).unwrap(), [vec![7; 70_000]]);
    }

    #[test]
    fn what_a_crash_left_half_written_is_no_identity_and_no_obstacle() {
        let mesh = mesh(1);
        let identity = mesh.member(key(101), "a", 0, 1_000).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("identity");
        fs::create_dir(temporary.path().join("identity.new")).unwrap();
        fs::write(temporary.path().join("identity.new").join(NODE_KEY), "half").unwrap();
        assert!(matches!(load(&directory), Err(DirectoryError::Missing { .. })));
        save_founder(&directory, &mesh, &identity).unwrap();
        fs::write(directory.join("node.new"), "half").unwrap();
        save_certificates(&directory, identity.chain()).unwrap();
        load(&directory).unwrap();
    }

    #[test]
    fn the_recovery_key_is_kept_where_its_owner_wants_it() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("recovery.key");
        save_key(&path, &key(3)).unwrap();
        assert_eq!(load_key(&path).unwrap(), key(3));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(save_key(&path, &key(4)), Err(DirectoryError::Exists { .. })));
    }

    /// Damages one file of a good identity, and gives the error of loading it.
    fn damaged(damage: impl FnOnce(&Path)) -> DirectoryError {
        let saved = saved(1);
        damage(&saved.directory);
        load(&saved.directory).unwrap_err()
    }

    #[test]
    fn every_damage_is_named_with_its_file() {
        for file in [NODE_KEY, NODE_CERTIFICATE, ANCHORS, MESH_ID] {
            let error = damaged(|directory| fs::remove_file(directory.join(file)).unwrap());
            assert!(matches!(&error, DirectoryError::Missing { path } if path.ends_with(file)), "{error}");
            let error = damaged(|directory| fs::write(directory.join(file), "garbage").unwrap());
            assert!(matches!(&error, DirectoryError::Content { path, .. } if path.ends_with(file)), "{error}");
            let error = damaged(|directory| fs::write(directory.join(file), [0xff; 9]).unwrap());
            assert!(matches!(&error, DirectoryError::Content { path, .. } if path.ends_with(file)), "{error}");
        }
        let error = damaged(|directory| {
            fs::set_permissions(directory.join(NODE_KEY), fs::Permissions::from_mode(0o640)).unwrap();
        });
        assert!(matches!(error, DirectoryError::Permissions { mode: 0o640, .. }), "{error}");
        let saved = saved(1);
        fs::write(saved.directory.join(STATEMENTS), [9, 1]).unwrap();
        assert!(matches!(load_statements(&saved.directory), Err(DirectoryError::Content { .. })));
    }

    #[test]
    fn files_of_two_identities_are_told_apart() {
        let other = saved(2);
        let from_other = |file| {
            damaged(|directory| {
                fs::copy(other.directory.join(file), directory.join(file)).unwrap();
            })
        };
        assert!(matches!(from_other(NODE_KEY), DirectoryError::Mismatch { .. }));
        assert!(matches!(from_other(ANCHORS), DirectoryError::Mismatch { .. }));
        assert!(matches!(from_other(MESH_ID), DirectoryError::Mesh { .. }));
    }
}
