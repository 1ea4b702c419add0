//! The verifier as one file, which runs from a disk without a server: the same script as that of the
//! page of the proof, and a form for an export and checkpoints.

use std::sync::LazyLock;

use data_encoding::{BASE64, HEXLOWER};
use maud::{DOCTYPE, PreEscaped, html};
use sha2::{Digest as _, Sha256};

/// What it verifies with, and its form.
const SCRIPT: &str = concat!(include_str!("assets/verify.js"), include_str!("assets/offline.js"));

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:720px;margin:40px auto;padding:0 16px;overflow-wrap:anywhere}\
form{display:grid;gap:14px;margin:24px 0}label{display:grid;gap:4px}input,button{font:inherit;max-width:100%}button{justify-self:start;padding:6px 14px}\
[data-result=ok] h2{color:light-dark(#14713f,#6ad6a0)}[data-result=bad] h2{color:light-dark(#b02219,#ff9a90)}";

/// The file.
pub(super) static VERIFIER: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| BASE64.encode(&Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'",
        hash(SCRIPT),
        hash(STYLE)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width,initial-scale=1";
                title { "Verifier · userpool" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Is this the history that was recorded?" }
                    p { "This file runs from your disk, and loads nothing. It hashes every record of \
                         an export, and looks for the checkpoints that you kept." }
                    form {
                        label { span { "Export, not compressed (" code { "userpool log export" } ", or "
                            code { "/log/export.jsonl" } " of the console)" }
                            input name="log" type="file" required; }
                        label { "Checkpoints that you kept elsewhere"
                            input name="checkpoints" type="file" multiple; }
                        label { "Public key that you know, in hexadecimal digits or as NAME+HASH+KEY"
                            input name="key" autocomplete="off" spellcheck="false"; }
                        button disabled { "Verify" }
                    }
                    h2 data-verdict { "No script runs here" }
                    p role="status" data-state { "Save this file, and open it from your disk." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
});

/// The SHA-256 of the file, in hexadecimal digits.
pub(super) fn sha256() -> String {
    HEXLOWER.encode(&Sha256::digest(VERIFIER.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{SCRIPT, STYLE};

    #[test]
    fn nothing_in_the_file_ends_its_parts() {
        assert!(!SCRIPT.contains("</script") && !SCRIPT.contains("<!--"));
        assert!(!STYLE.contains("</style"));
    }
}
