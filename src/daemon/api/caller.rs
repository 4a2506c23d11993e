//! Who is at the socket's other end.

use std::fs;
use std::io;

use tokio::net::UnixStream;

use crate::daemon::request::Caller;

/// Where users' names are looked up: local ones only, as other name services may take seconds to answer.
const PASSWD: &str = "/etc/passwd";

/// The caller by the credentials that the kernel noted when the socket was connected (SO_PEERCRED).
pub(super) fn of(stream: &UnixStream) -> io::Result<Caller> {
    let uid = stream.peer_cred()?.uid();
    let passwd = fs::read_to_string(PASSWD).unwrap_or_default();
    Ok(Caller { user: name_of(uid, &passwd), uid })
}

fn name_of(uid: u32, passwd: &str) -> String {
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("uid {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_name_is_a_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:1000::/home/ann:/bin/sh\n:x:7:7:::\n";
        assert_eq!(name_of(1000, passwd), "ann");
        assert_eq!(name_of(0, passwd), "root");
        assert_eq!(name_of(7, passwd), "uid 7");
        assert_eq!(name_of(1001, passwd), "uid 1001");
        assert_eq!(name_of(1001, ""), "uid 1001");
    }
}
