//! Whose the state is: the user that members run as.

use nix::unistd::{Gid, Uid, User};

/// The user that members run as and that owns what they read and write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its name.
    pub name: String,
}

/// Why members have no user to run as.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// The system user was never made.
    #[error("members run as the system user {0:?}, which does not exist; run `nova doctor --install`, which makes it")]
    Missing(String),
    /// The user database cannot be read.
    #[error("cannot look up the user {name:?}")]
    Lookup {
        /// Which user.
        name: String,
        /// Why.
        source: nix::Error,
    },
}

impl Owner {
    /// Whoever runs this, or `system_user` when that is root.
    ///
    /// # Errors
    /// When root runs this and there is no such user.
    pub fn of_members(system_user: &str) -> Result<Self, OwnerError> {
        let uid = nix::unistd::geteuid();
        if !uid.is_root() {
            let name = name_of(uid.as_raw());
            return Ok(Self {
                uid: uid.as_raw(),
                gid: nix::unistd::getegid().as_raw(),
                name,
            });
        }
        match User::from_name(system_user) {
            Ok(Some(user)) => Ok(Self {
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
                name: user.name,
            }),
            Ok(None) => Err(OwnerError::Missing(system_user.to_owned())),
            Err(source) => Err(OwnerError::Lookup {
                name: system_user.to_owned(),
                source,
            }),
        }
    }

    /// Whether that is whoever runs this.
    #[must_use]
    pub fn is_self(&self) -> bool {
        nix::unistd::geteuid().as_raw() == self.uid
    }

    /// Ids to hand a file over to, when it would not be the owner's already.
    pub(crate) fn to_hand_over(&self) -> Option<(Uid, Gid)> {
        (!self.is_self()).then(|| (Uid::from_raw(self.uid), Gid::from_raw(self.gid)))
    }
}

/// A user's name, or its number when it has none.
pub(crate) fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}
