//! The API as a page, from the comments in `proto/`.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use prost::Message as _;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use userpool::proto::FILE_DESCRIPTOR_SET;

/// The numbers of fields in descriptors, of which the paths of comments consist.
const MESSAGE: i32 = 4;
const ENUM: i32 = 5;
const SERVICE: i32 = 6;
const METHOD_OR_FIELD: i32 = 2;
const VALUE: i32 = 2;
const NESTED_MESSAGE: i32 = 3;
const NESTED_ENUM: i32 = 4;

/// The comments of a file, by the path of what they are on.
struct Comments(HashMap<Vec<i32>, String>);

impl Comments {
    fn of(file: &FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        let comments = locations.filter_map(|location| {
            let comment = location.leading_comments.as_ref()?;
            Some((location.path.clone(), comment.clone()))
        });
        Self(comments.collect())
    }

    /// In one line, as a cell of a table.
    fn line(&self, path: &[i32]) -> String {
        let comment = self.0.get(path).map(String::as_str).unwrap_or_default();
        let words: Vec<_> = comment.split_whitespace().collect();
        words.join(" ").replace('|', "\\|").replace('<', "&lt;")
    }

    /// With its paragraphs.
    fn paragraphs(&self, path: &[i32]) -> String {
        let comment = self.0.get(path).map(String::as_str).unwrap_or_default();
        let paragraphs = comment.split("\n\n");
        let joined: Vec<_> = paragraphs
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        joined.join("\n\n").replace('<', "&lt;")
    }
}

fn numbered<T>(items: &[T]) -> impl Iterator<Item = (i32, &T)> {
    (0..).zip(items)
}

/// A name as the text of the link to its heading.
fn link(full: &str) -> String {
    let name = full.trim_start_matches(".userpool.v1.");
    match name.strip_prefix('.') {
        // Of another package.
        Some(other) => format!("`{other}`"),
        None => format!("[{name}](#{})", name.to_lowercase().replace('.', "")),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other type is a scalar")]
fn type_of(field: &FieldDescriptorProto, maps: &BTreeMap<String, String>) -> String {
    if let Some(map) = maps.get(field.type_name()) {
        return map.clone();
    }
    let name = match field.r#type() {
        Type::Message | Type::Enum => link(field.type_name()),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    if field.label() == Label::Repeated { format!("list of {name}") } else { name }
}

fn add_service(page: &mut String, comments: &Comments, at: i32, service: &ServiceDescriptorProto) {
    let path = [SERVICE, at];
    let comment = comments.paragraphs(&path);
    let _ = writeln!(page, "\n## {}\n\n{comment}\n", service.name());
    page.push_str("| method | request, response | |\n|---|---|---|\n");
    for (index, method) in numbered(&service.method) {
        let comment = comments.line(&[path[0], path[1], METHOD_OR_FIELD, index]);
        let stream = if method.server_streaming() { "stream of " } else { "" };
        let (request, response) = (link(method.input_type()), link(method.output_type()));
        let _ = writeln!(page, "| {} | {request}, {stream}{response} | {comment} |", method.name());
    }
}

fn add_enum(
    page: &mut String,
    comments: &Comments,
    path: &[i32],
    name: &str,
    of: &EnumDescriptorProto,
) {
    let _ = writeln!(page, "\n### {name}\n\n{}\n", comments.paragraphs(path));
    page.push_str("| value | number | |\n|---|---|---|\n");
    for (index, value) in numbered(&of.value) {
        let comment = comments.line(&[path, &[VALUE, index]].concat());
        let _ = writeln!(page, "| `{}` | {} | {comment} |", value.name(), value.number());
    }
}

fn add_message(
    page: &mut String,
    comments: &Comments,
    path: &[i32],
    name: &str,
    message: &DescriptorProto,
) {
    let _ = writeln!(page, "\n### {name}\n\n{}", comments.paragraphs(path));
    let is_map = |nested: &DescriptorProto| {
        nested.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry)
    };
    let maps = message.nested_type.iter().filter(|nested| is_map(nested)).map(|entry| {
        let [key, value] = entry.field.as_slice() else { unreachable!("a map has two fields") };
        let none = BTreeMap::new();
        let shown = format!("map of {} to {}", type_of(key, &none), type_of(value, &none));
        (format!(".userpool.v1.{name}.{}", entry.name()), shown)
    });
    let maps: BTreeMap<_, _> = maps.collect();
    if !message.field.is_empty() {
        page.push_str("\n| field | number | type | |\n|---|---|---|---|\n");
    }
    for (index, field) in numbered(&message.field) {
        let comment = comments.line(&[path, &[METHOD_OR_FIELD, index]].concat());
        let json = match field.json_name() {
            json if json == field.name() => String::new(),
            json => format!(", `{json}`"),
        };
        let _ = writeln!(
            page,
            "| `{}`{json} | {} | {} | {comment} |",
            field.name(),
            field.number(),
            type_of(field, &maps)
        );
    }
    for (index, of) in numbered(&message.enum_type) {
        let path = [path, &[NESTED_ENUM, index]].concat();
        add_enum(page, comments, &path, &format!("{name}.{}", of.name()), of);
    }
    for (index, nested) in numbered(&message.nested_type).filter(|(_, nested)| !is_map(nested)) {
        let path = [path, &[NESTED_MESSAGE, index]].concat();
        add_message(page, comments, &path, &format!("{name}.{}", nested.name()), nested);
    }
}

/// The page.
pub(super) fn page() -> String {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
    let mut files: Vec<_> =
        set.file.iter().filter(|file| file.package() == "userpool.v1").collect();
    // The services first.
    files.sort_by_key(|file| (file.service.is_empty(), file.name().to_owned()));
    let mut page = "# The API\n\nThe services and messages of `userpool.v1`, from the comments in \
                    [the schema](../../proto/userpool/v1); a test compares them. A field has a \
                    second name if JSON has another one: it is that of Amazon Cognito.\n"
        .to_owned();
    for file in &files {
        let comments = Comments::of(file);
        for (index, service) in numbered(&file.service) {
            add_service(&mut page, &comments, index, service);
        }
    }
    page.push_str("\n## Messages\n");
    for file in &files {
        let comments = Comments::of(file);
        for (index, message) in numbered(&file.message_type) {
            add_message(&mut page, &comments, &[MESSAGE, index], message.name(), message);
        }
        for (index, of) in numbered(&file.enum_type) {
            add_enum(&mut page, &comments, &[ENUM, index], of.name(), of);
        }
    }
    page
}
