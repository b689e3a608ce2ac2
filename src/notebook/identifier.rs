//! Which parameter names can be variables, per language.
//!
//! A name that is none stays in the dicts only. Names are refused that the language reserves, that the injected cell itself
//! uses, and that would steer the interpreter (`PATH`, `__builtins__`).

use super::language::Language;

/// Longer names stay in the dicts: R refuses names over 10,000 bytes, and nobody declares such a parameter.
const LONGEST: usize = 255;

/// The variable that holds the body as it was sent.
pub(super) const RAW_BODY: &str = "raw_body";

/// The variables that hold all of a call, in every language. No parameter can take their place, `raw_body` not even where it
/// is not assigned: what a notebook reads there must never be a parameter that somebody made up.
pub(super) const RESERVED: [&str; 4] = ["params", "body", "headers", RAW_BODY];

/// Whether `name` may become a variable of its own.
pub(super) fn is_variable(language: Language, name: &str) -> bool {
    if name.len() > LONGEST || RESERVED.contains(&name) {
        return false;
    }
    match language {
        Language::Python => is_word(name, true) && !is_dunder(name) && !lists(PYTHON, name),
        Language::R => is_r_name(name) && !lists(R, name),
        Language::Julia => is_word(name, true) && !is_only_underscores(name) && !lists(JULIA, name),
        Language::Scala => is_word(name, true) && !is_only_underscores(name) && !lists(SCALA, name),
        Language::Bash => is_word(name, false) && !is_only_underscores(name) && !is_bash_special(name),
    }
}

fn lists(words: &str, name: &str) -> bool {
    words.split_ascii_whitespace().any(|word| word == name)
}

/// A letter or underscore, then letters, digits and underscores; beyond ASCII the letters of [`LETTERS`].
fn is_word(name: &str, unicode: bool) -> bool {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic() || (unicode && is_letter(c));
    let mut chars = name.chars();
    chars.next().is_some_and(letter) && chars.all(|c| letter(c) || c.is_ascii_digit())
}

/// ASCII only, because which other letters R takes depends on the locale; no leading dot, because those names are R's own
/// (`.Random.seed`, `.Last`).
fn is_r_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_')
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

fn is_only_underscores(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'_')
}

/// A letter beyond ASCII that is an identifier character in Python, Julia and Scala alike and that no normalisation (Python:
/// NFKC, PEP 3131; Julia: NFC) changes or joins with its neighbour: `ｐarams` must not come out as `params`.
fn is_letter(c: char) -> bool {
    LETTERS.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Letters of the scripts that are written without combining marks. The test holds them against Python's own tables.
const LETTERS: [(char, char); 32] = [
    // Latin
    ('\u{c0}', '\u{d6}'),
    ('\u{d8}', '\u{f6}'),
    ('\u{f8}', '\u{131}'),
    ('\u{134}', '\u{13e}'),
    ('\u{141}', '\u{148}'),
    ('\u{14a}', '\u{17e}'),
    ('\u{180}', '\u{1c3}'),
    ('\u{1cd}', '\u{1f0}'),
    ('\u{1f4}', '\u{2af}'),
    ('\u{1e00}', '\u{1e99}'),
    ('\u{1e9e}', '\u{1eff}'),
    // Greek
    ('\u{386}', '\u{386}'),
    ('\u{388}', '\u{38a}'),
    ('\u{38c}', '\u{38c}'),
    ('\u{38e}', '\u{3a1}'),
    ('\u{3a3}', '\u{3cf}'),
    // Cyrillic, Armenian, Georgian
    ('\u{400}', '\u{481}'),
    ('\u{48a}', '\u{52f}'),
    ('\u{531}', '\u{556}'),
    ('\u{560}', '\u{586}'),
    ('\u{10d0}', '\u{10fa}'),
    // Hebrew, Arabic
    ('\u{5d0}', '\u{5ea}'),
    ('\u{620}', '\u{63f}'),
    ('\u{641}', '\u{64a}'),
    ('\u{671}', '\u{674}'),
    ('\u{679}', '\u{6d3}'),
    // Japanese, Chinese, Korean
    ('\u{3041}', '\u{3096}'),
    ('\u{30a1}', '\u{30fa}'),
    ('\u{30fc}', '\u{30fc}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fef}'),
    ('\u{ac00}', '\u{d7a3}'),
];

/// `keyword.kwlist` of Python 3.9 to 3.14, and the function the client finds its kernel by.
const PYTHON: &str = "False None True and as assert async await break class continue def del elif else except finally for from \
    get_ipython global if import in is lambda nonlocal not or pass raise return try while with yield";

/// R's `?Reserved`.
const R: &str = "FALSE Inf NA NA_character_ NA_complex_ NA_integer_ NA_real_ NULL NaN TRUE break else for function if in next \
    repeat while";

/// Julia's keywords and word operators, what `Main` has as constants, and what the injected cell uses.
const JULIA: &str = "Any Base Core Dict Inf Main NaN String UInt8 Vector baremodule begin break catch ccall const continue do else \
    elseif end eval export false finally for function global if im import in include isa let local macro missing \
    module new nothing pi public quote return struct true try undef using where while";

/// Scala 2 and 3's keywords, the names of the root packages, and what the injected cell uses.
const SCALA: &str = "Any Array BigDecimal BigInt Boolean Byte Double Int Long Map None Predef Seq String abstract case catch class \
    def do else enum export extends extension false final finally for forSome given if implicit import inline java \
    lazy macro match new null object override package private protected return scala sealed super then this throw \
    trait true try type val var while with yield";

/// The shell variables of the Bash manual (sections 5.1 and 5.2), and environment variables that programs obey.
const BASH: &str = "CDPATH CHILD_MAX COLUMNS COMPREPLY COPROC DIRSTACK EMACS ENV EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FCEDIT \
    FIGNORE FUNCNAME FUNCNEST GLOBIGNORE GLOBSORT GROUPS HISTCMD HISTCONTROL HISTFILE HISTFILESIZE HISTIGNORE \
    HISTSIZE HISTTIMEFORMAT HOME HOSTFILE HOSTNAME HOSTTYPE IFS IGNOREEOF INPUTRC INSIDE_EMACS LANG LANGUAGE LINENO \
    LINES LOGNAME MACHTYPE MAIL MAILCHECK MAILPATH MAPFILE OLDPWD OPTARG OPTERR OPTIND OSTYPE PATH PIPESTATUS \
    POSIXLY_CORRECT PPID PS0 PS1 PS2 PS3 PS4 PWD RANDOM REPLY SECONDS SHELL SHELLOPTS SHLVL SRANDOM TERM TIMEFORMAT \
    TMOUT TMPDIR UID USER";

fn is_bash_special(name: &str) -> bool {
    const PREFIXES: [&str; 8] = ["BASH", "COMP_", "DYLD_", "LC_", "LD_", "NBHOOK_", "PROMPT_", "READLINE_"];
    lists(BASH, name)
        || matches!(name, "auto_resume" | "histchars")
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
