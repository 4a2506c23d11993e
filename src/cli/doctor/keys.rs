//! The identity's keys: there, and read by their owner only.

use std::io;

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "keys";
const OTHERS_ANYTHING: u32 = 0o077;

pub(super) fn check(findings: &Findings) -> Check {
    let Some((directory, keys)) = &findings.keys else {
        return Check::skipped(NAME, "the settings say where they are");
    };
    let shown = directory.display();
    match keys {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Check::bad(
            NAME,
            format!("there is no identity in {shown}"),
            "`murmurate join TICKET`, or `init` for a new mesh",
        ),
        Err(error) => Check::skipped(NAME, format!("{shown}: {error}")),
        Ok(keys) => {
            let open: Vec<_> = keys.iter().filter(|key| key.mode & OTHERS_ANYTHING != 0).collect();
            let Some(first) = open.first() else { return Check::ok(NAME, format!("{shown}: nobody else reads them")) };
            let names: Vec<_> = open.iter().map(|key| &*key.name).collect();
            let fix =
                format!("chmod go= {shown}/{}; who has read it can pass for this host until it is revoked", first.name);
            Check::bad(NAME, format!("{shown}: others may read {}", names.join(", ")), fix)
        }
    }
}
