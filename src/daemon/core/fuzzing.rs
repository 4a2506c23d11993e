//! Any bytes as what the core keeps in the store about folders, files and tickets.

use super::folders::{Folder, Slot};
use super::membership::tickets::Ticket;

/// What is read is written as something that reads the same.
pub fn state(data: &[u8]) {
    if let Ok(slot) = Slot::decode(data) {
        let bytes = slot.encode();
        assert_eq!(Slot::decode(&bytes).map(|slot| slot.encode()), Ok(bytes));
    }
    if let Ok(folder) = Folder::decode(data) {
        let bytes = folder.encode();
        assert_eq!(Folder::decode(&bytes).map(|folder| folder.encode()), Ok(bytes));
    }
    if let Ok(ticket) = Ticket::decode(data) {
        let entry = ticket.entry();
        let again = Ticket::decode(entry.1.as_deref().unwrap_or_default());
        assert_eq!(again.map(|again| again.entry()), Ok(entry));
    }
}
