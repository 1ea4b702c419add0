//! A check of linearizability: clients, the history that they record, and the checker
//! that compares it with the log.

mod checker;
mod clients;
pub(crate) mod history;

use userpool::proto::{UserPoolEvent, user_pool_event::Payload};

use self::history::{Entry, EventKind, Objection, RecordedEvent};
pub(crate) use self::{
    checker::check,
    clients::{Run, Worker},
};

/// An event as the checker reads it.
pub(crate) fn recorded(event: UserPoolEvent) -> RecordedEvent {
    let number = event.correlation_id.strip_prefix("change-").and_then(|n| n.parse().ok());
    let kind = match event.payload.expect("a payload") {
        Payload::UserPoolCreated(created) => {
            EventKind::Created { value: clients::value(&created.user_pool.expect("a user pool")) }
        }
        Payload::UserPoolUpdated(updated) => {
            EventKind::Updated { value: clients::value(&updated.user_pool.expect("a user pool")) }
        }
        Payload::UserPoolDeleted(_) => EventKind::Deleted,
        Payload::UserPoolDomainCreated(domain) => EventKind::Assigned { prefix: domain.domain },
        Payload::UserPoolDomainDeleted(domain) => EventKind::Released { prefix: domain.domain },
        Payload::UserPoolRestored(restored) => {
            let pool = restored.user_pool.expect("a user pool");
            EventKind::Restored {
                revision: restored.restored_revision,
                value: clients::value(&pool),
                domain: pool.domain,
                was_deleted: restored.was_deleted,
            }
        }
        payload @ (Payload::UserPoolDomainUpdated(_)
        | Payload::UserPoolTagged(_)
        | Payload::UserPoolUntagged(_)
        | Payload::CustomAttributesAdded(_)
        | Payload::UserPoolMfaConfigSet(_)) => {
            unreachable!("no client makes such a change: {payload:?}")
        }
    };
    RecordedEvent {
        position: event.position,
        pool: event.user_pool_id,
        revision: event.revision,
        number: number.expect("the number of a change"),
        kind,
    }
}

/// The entry of the history that an objection is about.
pub(crate) fn entry_of(objection: &Objection, history: &[Entry]) -> Option<Entry> {
    let number = match objection {
        Objection::Duplicate { number }
        | Objection::Lost { number }
        | Objection::WrongPosition { number, .. }
        | Objection::DeniedButRecorded { number }
        | Objection::OutOfOrder { number, .. }
        | Objection::Unexplained { number, .. } => *number,
        Objection::Gap { .. } | Objection::Impossible { .. } | Objection::Unrequested { .. } => {
            return None;
        }
    };
    history.iter().find(|entry| entry.number == number).cloned()
}
