//! A topic's folder: its schemas as they are, and as they were in every release.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{FileError, Promise};
use crate::compact::{compact, readable};

/// A topic's folder, read.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The topic's name, which is the folder's.
    pub name: String,
    /// What it promises.
    pub promise: Promise,
    /// The key's schema.
    pub key: Subject,
    /// The value's schema.
    pub value: Subject,
}

/// The key or the value of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// What the record is about.
    Key,
    /// What it says.
    Value,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
        })
    }
}

/// One schema of a topic, through its releases. All texts are compact.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The topic.
    pub topic: String,
    /// Key or value.
    pub part: Part,
    /// What `key.avsc` or `value.avsc` says.
    pub current: String,
    /// Every released version, oldest first, numbered from 1.
    pub releases: Vec<Release>,
    pub(crate) folder: PathBuf,
}

/// A version that a registry may hold and records may be written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// From 1.
    pub number: u32,
    /// Compact.
    pub text: String,
}

impl Topic {
    /// Both schemas.
    #[must_use]
    pub fn subjects(&self) -> [&Subject; 2] {
        [&self.key, &self.value]
    }

    fn load(folder: &Path) -> Result<Self, FileError> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            promise: Promise::load(&folder.join("topic.json"))?,
            key: Subject::load(&name, Part::Key, folder)?,
            value: Subject::load(&name, Part::Value, folder)?,
            name,
        })
    }
}

impl Subject {
    /// The name that the converter registers under.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.part)
    }

    /// The newest release.
    #[must_use]
    pub fn newest(&self) -> Option<&Release> {
        self.releases.last()
    }

    /// The file of the present schema.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.avsc", self.part))
    }

    fn release_file(&self, number: u32) -> PathBuf {
        self.folder.join("versions").join(format!("{}-{number}.avsc", self.part))
    }

    fn load(topic: &str, part: Part, folder: &Path) -> Result<Self, FileError> {
        let mut subject = Self {
            topic: topic.to_owned(),
            part,
            current: String::new(),
            releases: Vec::new(),
            folder: folder.to_owned(),
        };
        subject.current = read(&subject.file())?;
        loop {
            let number = u32::try_from(subject.releases.len()).unwrap_or(u32::MAX).saturating_add(1);
            let path = subject.release_file(number);
            if !path.exists() {
                break;
            }
            subject.releases.push(Release { number, text: read(&path)? });
        }
        subject.refuse_gaps()?;
        Ok(subject)
    }

    /// A missing number would silently shorten the history that compatibility is judged against.
    fn refuse_gaps(&self) -> Result<(), FileError> {
        let versions = self.folder.join("versions");
        let prefix = format!("{}-", self.part);
        let entries = std::fs::read_dir(&versions).map_err(FileError::io(&versions))?;
        let count = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .count();
        if count == self.releases.len() {
            return Ok(());
        }
        let reason = format!("holds {count} files {prefix}*.avsc, but {prefix}1 to {prefix}{count} are not all there");
        Err(FileError::content(&versions, &reason))
    }

    /// Writes a text as the present schema and as a release: the next one, or the newest again.
    pub fn write(&mut self, text: &str, replace_newest: bool) -> Result<u32, FileError> {
        let file = self.file();
        let printed = readable(text).map_err(|error| FileError::content(&file, &error))?;
        if replace_newest {
            self.releases.pop();
        }
        let number = u32::try_from(self.releases.len()).unwrap_or(u32::MAX).saturating_add(1);
        for path in [file, self.release_file(number)] {
            std::fs::write(&path, &printed).map_err(FileError::io(&path))?;
        }
        self.current = compact(text);
        self.releases.push(Release { number, text: self.current.clone() });
        Ok(number)
    }
}

fn read(path: &Path) -> Result<String, FileError> {
    let text = std::fs::read_to_string(path).map_err(FileError::io(path))?;
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|error| FileError::content(path, &error))?;
    Ok(compact(&text))
}

/// Reads every topic's folder under a root, by name. Folders without a `topic.json` are no topics.
pub fn load(root: &Path) -> Result<Vec<Topic>, FileError> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .map_err(FileError::io(root))?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.join("topic.json").is_file())
        .collect();
    folders.sort();
    if folders.is_empty() {
        return Err(FileError::content(root, &"no folder here has a topic.json; is this the schemas folder?"));
    }
    folders.iter().map(|folder| Topic::load(folder)).collect()
}
