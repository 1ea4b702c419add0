//! Whether the answers that many clients got are one order of what happened: the clients,
//! the history that they write down, and the checker that holds it against the log.

mod checker;
mod clients;
pub(crate) mod history;

use userpool::proto::{UserPoolEvent, user_pool_event::Payload};

use self::history::{Entry, Objection, Recorded, What};
pub(crate) use self::{
    checker::check,
    clients::{Run, Worker},
};

/// An event as the checker reads it.
pub(crate) fn recorded(event: UserPoolEvent) -> Recorded {
    let number = event.correlation_id.strip_prefix("change-").and_then(|n| n.parse().ok());
    let what = match event.payload.expect("a payload") {
        Payload::UserPoolCreated(created) => {
            What::Created { value: clients::value(&created.user_pool.expect("a user pool")) }
        }
        Payload::UserPoolUpdated(updated) => {
            What::Updated { value: clients::value(&updated.user_pool.expect("a user pool")) }
        }
        Payload::UserPoolDeleted(_) => What::Deleted,
        Payload::UserPoolDomainCreated(domain) => What::Assigned { prefix: domain.domain },
        Payload::UserPoolDomainDeleted(domain) => What::Released { prefix: domain.domain },
    };
    Recorded {
        position: event.position,
        pool: event.user_pool_id,
        revision: event.revision,
        number: number.expect("the number of a change"),
        what,
    }
}

/// The entry of the history that an objection is about.
pub(crate) fn entry_of(objection: &Objection, history: &[Entry]) -> Option<Entry> {
    let number = match objection {
        Objection::Twice { number }
        | Objection::Lost { number }
        | Objection::Elsewhere { number, .. }
        | Objection::RecordedAllTheSame { number }
        | Objection::OutOfOrder { number, .. }
        | Objection::Unexplained { number, .. } => *number,
        Objection::Gap { .. } | Objection::Impossible { .. } | Objection::Invented { .. } => {
            return None;
        }
    };
    history.iter().find(|entry| entry.number == number).cloned()
}
