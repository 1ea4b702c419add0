//! The disk space of the read model after many updates.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use serde_json::json;
use userpool::proto::{CreateUserPoolRequest, UpdateUserPoolRequest, mfa_configuration};

use crate::{
    Bench,
    client::repeat,
    data,
    data_directory::{DataDirectory, id_at},
    figures::shown,
    messages::{UPDATE, nth},
    process::Server,
    report::{Report, Row},
    varied_pools::Random,
};

const IN_FLIGHT: usize = 64;

pub(crate) fn compare(bench: &Bench, report: &mut Report) {
    let (pools, updates) = bench.settings.updates;
    let scratch = tempfile::tempdir_in(bench.scratch.path()).expect("a directory");
    bench.runtime.block_on(DataDirectory { events: pools, own: 0 }.write(scratch.path()));
    let server = Server::userpool(scratch.path());
    let settings: Arc<[Bytes]> = bench.messages.requests.iter().map(settings).collect();
    repeat(bench, &server, UPDATE, IN_FLIGHT, updates, move |number| {
        // A message that follows another one adds its members to it.
        let mut random = Random(number);
        let id = Some(id_at(1 + random.below(pools)));
        let id = UpdateUserPoolRequest { user_pool_id: id, ..UpdateUserPoolRequest::default() };
        [nth(&settings, random.number()), id.encode_to_vec().as_slice()].concat().into()
    });
    server.stop();
    let on_disk = data::size(&scratch.path().join("read_model"));
    let kilobytes = on_disk as f64 / pools as f64 / 1000.0;
    report.keep_value(
        "the read model after updates",
        &json!({"user_pools": pools, "updates": updates, "on_disk": on_disk}),
    );
    report.row(Row {
        what: format!(
            "disk of the read model per user pool, {} updates of {} user pools",
            shown(updates as f64),
            shown(pools as f64)
        ),
        target: "≤ 6 KB",
        measured: format!("{} KB", shown(kilobytes)),
        ratio: None,
        // Fewer user pools than in a complete run share the space that is allocated ahead.
        reached: (!bench.settings.quick).then_some(kilobytes <= 6.0),
    });
}

/// The update of a user pool to these settings, without its ID.
fn settings(request: &CreateUserPoolRequest) -> Bytes {
    let request = request.clone();
    // An update cannot turn MFA on for all users.
    let on = i32::from(mfa_configuration::Value::On);
    let mfa = request.mfa_configuration.filter(|mfa| *mfa != on);
    let update = UpdateUserPoolRequest {
        policies: request.policies,
        lambda_config: request.lambda_config,
        auto_verified_attributes: request.auto_verified_attributes,
        sms_verification_message: request.sms_verification_message,
        email_verification_message: request.email_verification_message,
        email_verification_subject: request.email_verification_subject,
        verification_message_template: request.verification_message_template,
        sms_authentication_message: request.sms_authentication_message,
        mfa_configuration: mfa,
        device_configuration: request.device_configuration,
        email_configuration: request.email_configuration,
        sms_configuration: request.sms_configuration,
        user_pool_tags: request.user_pool_tags,
        admin_create_user_config: request.admin_create_user_config,
        user_pool_add_ons: request.user_pool_add_ons,
        ..UpdateUserPoolRequest::default()
    };
    update.encode_to_vec().into()
}
