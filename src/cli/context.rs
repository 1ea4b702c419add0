//! `userpool context`: naming servers and how to reach them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    contexts::{Context, ContextName, Contexts},
    error::CliError,
    outcome::Outcome,
    output::{OutputFormat, TableOutputArgs, print, print_note},
    table::render_rows,
};

/// The columns of the list.
const COLUMNS: [&str; 3] = ["CURRENT", "NAME", "ENDPOINT"];

/// Manage contexts: saved connections to servers.
///
/// A context has the flags of a connection, and paths of files with secrets, but no secret. A flag
/// overrides a variable, which overrides the context that --context or USERPOOL_CONTEXT names, or
/// else the current one. If a flag or USERPOOL_ENDPOINT names another server than the context,
/// nothing of the context is used. The contexts are in $XDG_CONFIG_HOME/userpool/contexts.toml, or
/// in ~/.config/userpool/contexts.toml.
#[derive(Debug, Subcommand)]
#[expect(clippy::doc_markdown, reason = "the help shows the text as it is")]
pub(super) enum ContextCommand {
    /// Add a context.
    #[command(after_help = "Example:\n  userpool context add prod --endpoint \
                            userpool.example.com:50051 --tls --token-file ~/.secrets/userpool --use")]
    Add {
        /// The name of the context: letters, digits, dots, hyphens and underscores.
        #[arg(value_name = "NAME")]
        name: ContextName,
        /// Replace a context that has this name.
        #[arg(long)]
        replace: bool,
        /// Make it the current context.
        #[arg(long = "use")]
        is_current: bool,
        #[command(flatten)]
        context: Box<Context>,
    },
    /// Make a context the current one, which is used by commands that name none.
    Use {
        /// The name of the context.
        #[arg(value_name = "CONTEXT", required_unless_present = "none")]
        name: Option<ContextName>,
        /// Use no context.
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// List the contexts; a star marks the current one.
    List {
        #[command(flatten)]
        output: TableOutputArgs,
    },
    /// Show a context.
    Show {
        /// The name of the context. If omitted, the current one.
        #[arg(value_name = "CONTEXT")]
        name: Option<ContextName>,
        #[command(flatten)]
        output: TableOutputArgs,
    },
    /// Remove a context.
    #[command(visible_alias = "delete")]
    Remove {
        /// The name of the context.
        #[arg(value_name = "CONTEXT")]
        name: ContextName,
    },
}

impl ContextCommand {
    pub(super) fn run(self) -> Result<Outcome, CliError> {
        let _lock = match self {
            Self::Add { .. } | Self::Use { .. } | Self::Remove { .. } => Contexts::lock()?,
            Self::List { .. } | Self::Show { .. } => None,
        };
        let mut contexts = Contexts::load()?;
        match self {
            Self::Add { name, replace, is_current, context } => {
                if !replace && contexts.get(&name).is_ok() {
                    return Err(CliError::message(format!(
                        "there is a context {name} already; replace it with --replace"
                    )));
                }
                let context = context.into_absolute()?;
                for file in context.missing_files() {
                    print_note(&format!("there is no file {} yet", file.display()));
                }
                contexts.insert(name.clone(), context);
                if is_current {
                    contexts.set_current(Some(name.clone()));
                }
                contexts.save()?;
                let current = contexts.current() == Some(&name);
                print(&format!(
                    "added context {name}{}",
                    if current { ", the current one" } else { "" }
                ))?;
            }
            Self::Use { name, .. } => {
                if let Some(name) = &name {
                    contexts.get(name)?;
                }
                contexts.set_current(name.clone());
                contexts.save()?;
                match name {
                    Some(name) => print(&format!("the current context is {name}"))?,
                    None => print("there is no current context")?,
                }
            }
            Self::List { output } => list(&contexts, output.format())?,
            Self::Show { name, output } => {
                let name = name
                    .or_else(|| contexts.current().cloned())
                    .ok_or_else(|| CliError::message("there is no current context; name one"))?;
                let context = contexts.get(&name)?;
                output.format().value(&to_json(&contexts, &name, context)?)?;
            }
            Self::Remove { name } => {
                let was_current = contexts.remove(&name)?;
                contexts.save()?;
                let current = if was_current { "; there is no current context" } else { "" };
                print(&format!("removed context {name}{current}"))?;
            }
        }
        Ok(Outcome::Success)
    }
}

fn list(contexts: &Contexts, format: OutputFormat) -> Result<(), CliError> {
    let documents = || contexts.iter().map(|(name, context)| to_json(contexts, name, context));
    match format {
        OutputFormat::Table => {
            let rows = contexts.iter().map(|(name, context)| {
                let current = if contexts.current() == Some(name) { "*" } else { "" };
                vec![
                    current.to_owned().into(),
                    name.to_string().into(),
                    context.endpoint.to_string().into(),
                ]
            });
            render_rows(&COLUMNS, &rows.collect::<Vec<_>>()).iter().try_for_each(|line| print(line))
        }
        OutputFormat::Json => {
            format.value(&json!({ "contexts": documents().collect::<Result<Vec<_>, _>>()? }))
        }
        OutputFormat::Jsonl => documents().try_for_each(|document| format.value(&document?)),
    }
}

/// The context with its name, and whether it is the current one.
fn to_json(contexts: &Contexts, name: &ContextName, context: &Context) -> Result<Value, CliError> {
    let mut document = json!({ "name": name, "current": contexts.current() == Some(name) });
    let members = serde_json::to_value(context).map_err(CliError::other)?;
    if let (Some(document), Value::Object(mut members)) = (document.as_object_mut(), members) {
        document.append(&mut members);
    }
    Ok(document)
}
