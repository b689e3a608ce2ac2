//! The languages parameters can be written in.

/// A kernel's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    Python,
    R,
    Julia,
    Scala,
    Bash,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Python, Self::R, Self::Julia, Self::Scala, Self::Bash];

    /// The language of a kernelspec (`language`) or of a kernel (`language_info.name`), in any case; `None` if unknown.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "python" | "python3" | "ipython" => Some(Self::Python),
            "r" => Some(Self::R),
            "julia" => Some(Self::Julia),
            "scala" => Some(Self::Scala),
            "bash" => Some(Self::Bash),
            _ => None,
        }
    }

    /// Its name in lowercase.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::R => "r",
            Self::Julia => "julia",
            Self::Scala => "scala",
            Self::Bash => "bash",
        }
    }
}
