//! The content of a `kernel.json`. Does no I/O.

use serde_json::Value;

use super::{InterruptMode, Variables};

/// What of a `kernel.json` matters for starting it. Unknown fields and a missing `display_name` are no error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KernelFile {
    pub(super) argv: Argv,
    pub(super) env: Vec<(String, String)>,
    /// Lowercase.
    pub(super) language: String,
    pub(super) interrupt: InterruptMode,
}

/// A command that has a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Argv(Vec<String>);

impl Argv {
    pub(super) fn split_first(&self) -> (&str, &[String]) {
        self.0.split_first().map_or(("", &[]), |(program, args)| (program.as_str(), args))
    }
}

impl KernelFile {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let spec: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let words: Option<Vec<String>> = spec["argv"]
            .as_array()
            .and_then(|words| words.iter().map(|word| Some(word.as_str()?.to_owned())).collect());
        let argv = words.filter(|words| !words.is_empty()).ok_or("`argv` is no list of words with a program")?;
        let provisioner = &spec["metadata"]["kernel_provisioner"]["provisioner_name"];
        if provisioner.as_str().is_some_and(|name| name != "local-provisioner") {
            return Err(format!("it wants the provisioner {provisioner}, and this server starts local kernels only"));
        }
        Ok(Self {
            argv: Argv(argv),
            env: spec["env"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            language: spec["language"].as_str().unwrap_or_default().to_lowercase(),
            interrupt: match spec["interrupt_mode"].as_str() {
                Some("message") => InterruptMode::Message,
                _ => InterruptMode::Signal,
            },
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The arguments of an IPython kernel around what our own launcher takes over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IpykernelArguments<'a> {
    /// For the interpreter, e.g. `-Xfrozen_modules=off`.
    pub(super) interpreter: &'a [String],
    /// For the kernel, e.g. `--matplotlib=inline`.
    pub(super) kernel: &'a [String],
}

/// Takes apart `[flags] -m ipykernel_launcher -f {connection_file} [options]`; `None` when it is something else.
pub(super) fn ipykernel_arguments(args: &[String]) -> Option<IpykernelArguments<'_>> {
    let module = args.iter().position(|arg| arg == "-m")?;
    let (interpreter, rest) = args.split_at(module);
    match rest {
        [_, module, file, connection, kernel @ ..]
            if (module == "ipykernel_launcher" || module == "ipykernel")
                && file == "-f"
                && connection == "{connection_file}" =>
        {
            Some(IpykernelArguments { interpreter, kernel })
        }
        _ => None,
    }
}

/// Replaces `$name` and `${name}` by the variable's value and `$$` by `$`; leaves unknown names alone. These are the rules of
/// Python's `string.Template.safe_substitute`, which Jupyter uses.
pub(super) fn substitute(text: &str, variables: &Variables) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        let (name, length) = reference(&rest[at + 1..]);
        let whole = &rest[at..=at + length];
        match name.and_then(|name| variables.get(name)) {
            Some(value) => result.push_str(value),
            None if whole == "$$" => result.push('$'),
            None => result.push_str(whole),
        }
        rest = &rest[at + 1 + length..];
    }
    result.push_str(rest);
    result
}

/// The name that stands behind a `$`, if one does, and the length of the whole reference without the `$`.
fn reference(rest: &str) -> (Option<&str>, usize) {
    let identifier = |text: &str| {
        let length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if text.starts_with(|first: char| first.is_ascii_digit()) { 0 } else { length }
    };
    if rest.starts_with('$') {
        return (None, 1);
    }
    if let Some(braced) = rest.strip_prefix('{') {
        let length = identifier(braced);
        let closed = length > 0 && braced[length..].starts_with('}');
        return if closed { (Some(&braced[..length]), length + 2) } else { (None, 0) };
    }
    let length = identifier(rest);
    ((length > 0).then(|| &rest[..length]), length)
}
