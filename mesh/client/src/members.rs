//! The members and their changes, as one stream.

use std::collections::{BTreeMap, VecDeque};

use tokio::time::sleep;

use crate::limits::RECONNECT_LONGEST;
use crate::mesh::Mesh;
use crate::types::{ApiError, Member, MemberState, Members, MeshEvent, MeshEventKind};
use crate::watch::{Watch, passes};

/// Changes of members' states as they come: first an `init` for each member as it is, then a `member` for each change, and
/// `joined` and `revoked`. Where changes were lost, or the daemon was started anew, there is a `reset`, and after it an
/// `init` for each member whose state isn't what was told last.
#[derive(Debug)]
pub struct MemberChanges {
    mesh: Mesh,
    events: Watch<MeshEvent>,
    /// Of each member by its id, the state that was told last.
    told: BTreeMap<String, MemberState>,
    waiting: VecDeque<MeshEvent>,
    /// Whether the members are to be read anew.
    is_stale: bool,
}

impl MemberChanges {
    pub(crate) async fn start(mesh: Mesh) -> Result<Self, ApiError> {
        // From just before the members are read: what comes twice is told once, and nothing is missed.
        let now = mesh.events().await?.resume;
        let events = mesh.follow_events().resume(Some(now)).start().await?;
        let mut changes = Self { events, told: BTreeMap::new(), waiting: VecDeque::new(), is_stale: false, mesh };
        let members = changes.mesh.members().await?;
        changes.compare(members);
        Ok(changes)
    }

    /// The next change. `None` comes only after an error. Safe to drop while it waits: the next call goes on.
    pub async fn next(&mut self) -> Option<Result<MeshEvent, ApiError>> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(Ok(event));
            }
            if self.is_stale {
                match self.mesh.members().await {
                    Ok(members) => self.compare(members),
                    Err(error) if passes(error.code) => sleep(RECONNECT_LONGEST).await,
                    Err(error) => return Some(Err(error)),
                }
                continue;
            }
            match self.events.next().await? {
                Ok(event) => self.take(event),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn take(&mut self, event: MeshEvent) {
        match (event.kind, &event.id, event.to) {
            (MeshEventKind::Reset, ..) => self.is_stale = true,
            (MeshEventKind::Member, Some(id), Some(to)) => {
                if self.told.insert(id.clone(), to) == Some(to) {
                    return;
                }
            }
            (MeshEventKind::Revoked, Some(id), _) => drop(self.told.remove(id)),
            (MeshEventKind::Joined, ..) => {}
            _ => return,
        }
        self.waiting.push_back(event);
    }

    /// Tells how each member fares that fares otherwise than was told last.
    fn compare(&mut self, members: Members) {
        self.is_stale = false;
        for member in members.members {
            let before = self.told.insert(member.id.clone(), member.state);
            if before != Some(member.state) {
                self.waiting.push_back(init(member, before));
            }
        }
    }
}

fn init(member: Member, from: Option<MemberState>) -> MeshEvent {
    let time = member.since.unwrap_or_default();
    let text = format!("{} is {}", member.name, member.state);
    MeshEvent {
        host: Some(member.name),
        id: Some(member.id),
        from,
        to: Some(member.state),
        ..MeshEvent::new(MeshEventKind::Init, time, text)
    }
}
