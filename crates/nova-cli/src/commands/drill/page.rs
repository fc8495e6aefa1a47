//! The file of `--html`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use nova_drill::html;
use nova_drill::report::CampaignReport;

/// A file that will hold the page: opened before anything is broken, so that a drill is not run for a page that cannot be.
pub(super) struct Page {
    file: File,
    path: PathBuf,
    is_new: bool,
}

impl Page {
    /// Opens it; what stands in it stays until there is a new page.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let is_new = !path.exists();
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = opened.with_context(|| format!("cannot write the page {}", path.display()))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            is_new,
        })
    }

    pub(super) fn write(&self, report: &CampaignReport) -> anyhow::Result<()> {
        let page = html::page(report);
        let written = self
            .file
            .set_len(0)
            .and_then(|()| (&self.file).write_all(page.as_bytes()));
        written.with_context(|| format!("cannot write the page {}", self.path.display()))?;
        eprintln!("page {}", self.path.display());
        Ok(())
    }

    /// There is nothing to show.
    pub(super) fn discard(&self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
