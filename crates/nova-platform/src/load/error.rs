//! What is wrong with a description, shown at its lines.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Problems shown at once; a file with more is usually not a description at all.
pub(super) const MOST_REPORTED: usize = 20;

/// Why there is no description to work with.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LoadError {
    /// There is no such file.
    #[error("there is no file {path}")]
    #[diagnostic(help("leave the file out to use the defaults, or name another one with -f"))]
    Missing {
        /// What was looked for.
        path: String,
    },
    /// This user may not read it.
    #[error("cannot read {path}")]
    #[diagnostic(help("give yourself the right to read it, such as with `chmod u+r`"))]
    Forbidden {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system could not read it.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A directory.
    #[error("{path} is a directory")]
    #[diagnostic(help("name the file inside it"))]
    Directory {
        /// Its path.
        path: String,
    },
    /// A pipe, a device or a socket.
    #[error("{path} is not a regular file")]
    #[diagnostic(help("write the description to a file and name that"))]
    NotAFile {
        /// Its path.
        path: String,
    },
    /// Larger than any description.
    #[error("{path} is larger than 1 MiB, so it is not a description of a platform")]
    #[diagnostic(help("name another file with -f"))]
    TooLarge {
        /// Its path.
        path: String,
    },
    /// Not text.
    #[error("{path} is not UTF-8 text: line {line} holds other bytes")]
    #[diagnostic(help("save the file as UTF-8"))]
    NotText {
        /// Which file.
        path: String,
        /// The first line that is not text.
        line: usize,
    },
    /// What it says is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(Box<Invalid>),
}

/// Everything that is wrong in one file: the first problem, with the others related to it.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.summary())]
pub struct Invalid {
    first: Reported,
    others: Vec<Reported>,
    count: usize,
}

/// One problem, at its place.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Reported {
    message: String,
    help: Option<String>,
    line: Option<usize>,
    labels: Vec<LabeledSpan>,
    source_code: Arc<NamedSource<String>>,
}

impl LoadError {
    pub(super) fn invalid(source: &Source, found: Vec<Found>, count: usize) -> Self {
        let mut found = found;
        found.sort_by_key(|one| one.labels.first().map_or(usize::MAX, |(span, _)| span.start));
        let mut reported = found.into_iter().take(MOST_REPORTED).map(|one| one.report(source));
        let first = reported.next().unwrap_or_else(|| Found::nothing().report(source));
        let others = reported.collect();
        Self::Invalid(Box::new(Invalid { first, others, count }))
    }

    /// The problems found in the file, in its order; none when it could not be read at all.
    pub fn problems(&self) -> impl Iterator<Item = &Reported> {
        let invalid = match self {
            Self::Invalid(invalid) => Some(invalid),
            _ => None,
        };
        invalid
            .into_iter()
            .flat_map(|invalid| std::iter::once(&invalid.first).chain(&invalid.others))
    }
}

impl Invalid {
    fn summary(&self) -> String {
        match self.count {
            0 | 1 => self.first.message.clone(),
            2 => format!("{} (and 1 more problem)", self.first.message),
            count => format!("{} (and {} more problems)", self.first.message, count - 1),
        }
    }
}

impl Diagnostic for Invalid {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Diagnostic::help(&self.first)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.first.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.first.labels()
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.others.iter().map(|one| one as &dyn Diagnostic)))
    }
}

impl Reported {
    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The line, counted from 1; `None` when only defaults are involved.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl Diagnostic for Reported {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        (!self.labels.is_empty()).then_some(&*self.source_code as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// The text that problems point into.
pub(super) struct Source {
    named: Arc<NamedSource<String>>,
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Self {
        let named = Arc::new(NamedSource::new(name, text.to_owned()).with_language("TOML"));
        Self { named }
    }

    fn text(&self) -> &str {
        self.named.inner()
    }
}

/// A problem before it is put at its place.
#[derive(Debug)]
pub(super) struct Found {
    message: String,
    help: Option<String>,
    labels: Vec<(Range<usize>, Option<String>)>,
}

impl Found {
    /// The text is not TOML.
    pub(super) fn syntax(error: &toml::de::Error) -> Self {
        Self {
            message: format!("not valid TOML: {}", error.message()),
            help: None,
            labels: error.span().map(|span| (span, None)).into_iter().collect(),
        }
    }

    /// Something at one place.
    pub(super) fn at(span: Option<Range<usize>>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            labels: span.map(|span| (span, None)).into_iter().collect(),
        }
    }

    pub(super) fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// Something at several places, each with its name.
    pub(super) fn with_labels(mut self, labels: Vec<(Range<usize>, Option<String>)>) -> Self {
        self.labels = labels;
        self
    }

    fn nothing() -> Self {
        Self::at(None, "the description cannot be understood")
    }

    fn report(self, source: &Source) -> Reported {
        let text = source.text();
        Reported {
            message: self.message,
            help: self.help,
            line: self.labels.first().map(|(span, _)| line_of(text, span.start)),
            labels: self
                .labels
                .into_iter()
                .map(|(span, label)| LabeledSpan::new_with_span(label, span))
                .collect(),
            source_code: Arc::clone(&source.named),
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
