//! Profiles: those who are told when a callback is in trouble.

use super::{Error, Result, Service};
use crate::model::{Caller, EmailAddress, Owner, Page, Profile, ProfileId};

/// A profile that is wished for; only admins may name another `user`.
#[derive(Debug)]
pub struct NewProfile {
    pub name: String,
    pub support_email: EmailAddress,
    pub user: Option<Owner>,
}

impl Service {
    pub async fn create_profile(&self, caller: &Caller, new: NewProfile) -> Result<(Profile, Owner)> {
        let (owner, user) = self.owner(caller, "user", new.user.as_ref()).await?;
        let NewProfile { name, support_email, .. } = new;
        let created_at = self.clock.now();
        let id = self.db.create_profile(owner, &name, &support_email, created_at).await?;
        Ok((Profile { id, owner, name, support_email, created_at }, user))
    }

    /// The caller's profiles, the named user's, or everyone's for an admin who names nobody.
    pub async fn profiles(
        &self,
        caller: &Caller,
        user: Option<&Owner>,
        name: Option<&str>,
        page: Page,
    ) -> Result<Vec<(Profile, Owner)>> {
        Ok(self.db.profiles(self.scope(caller, "user", user).await?, name, page).await?)
    }

    /// A profile, and whose it is.
    pub async fn profile(&self, caller: &Caller, id: ProfileId) -> Result<(Profile, Owner)> {
        let found = self.db.profile(id).await?;
        found.filter(|(profile, _)| caller.may_touch(profile.owner)).ok_or_else(not_found)
    }

    /// Changes what is given.
    pub async fn change_profile(
        &self,
        caller: &Caller,
        id: ProfileId,
        name: Option<&str>,
        support_email: Option<&EmailAddress>,
    ) -> Result<(Profile, Owner)> {
        self.profile(caller, id).await?;
        if self.db.change_profile(id, name, support_email).await? {
            self.profile(caller, id).await
        } else {
            Err(not_found())
        }
    }

    pub async fn delete_profile(&self, caller: &Caller, id: ProfileId) -> Result<()> {
        self.profile(caller, id).await?;
        if self.with_reserve(|| self.db.delete_profile(id)).await? { Ok(()) } else { Err(not_found()) }
    }
}

fn not_found() -> Error {
    Error::NotFound("profile")
}
