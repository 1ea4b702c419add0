//! The versions of the AWS API that this door can answer as.

use std::sync::LazyLock;

use clap::ValueEnum;
use prost_reflect::{ExtensionDescriptor, FieldDescriptor};

use crate::proto::DESCRIPTORS;

/// A version of the AWS API, without later members and operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AwsApi {
    /// With everything that this server has.
    #[default]
    Today,
    /// As it was on 2017-12-11.
    #[value(name = "2017-12-11")]
    Of2017,
}

/// The option of a field that says since when AWS has it.
static AWS_SINCE: LazyLock<Option<ExtensionDescriptor>> =
    LazyLock::new(|| DESCRIPTORS.get_extension_by_name("userpool.v1.aws_since"));

impl AwsApi {
    /// Whether it has what AWS added in this month. `None` means by 2017-12-11.
    pub(super) const fn has(self, since: Option<&str>) -> bool {
        match self {
            Self::Today => true,
            Self::Of2017 => since.is_none(),
        }
    }

    /// Whether it has this field.
    pub(super) fn has_field(self, field: &FieldDescriptor) -> bool {
        let since = AWS_SINCE.as_ref().and_then(|since| {
            let options = field.options();
            options.has_extension(since).then(|| options.get_extension(since).into_owned())
        });
        self.has(since.as_ref().and_then(prost_reflect::Value::as_str))
    }
}
