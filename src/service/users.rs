//! Users, their API tokens, and who is calling.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Error, Result, Service, hex, on_disk};
use crate::model::{ApiToken, Caller, Invalid, Owner, Role, TokenHash, TokenId, TokenInfo, User, UserId};
use crate::store::StoreError;

/// Name of the first user, and of the token that is kept in step with the settings or the token file.
const ADMIN: &str = "admin";

/// A token as its holder gets it, once.
#[derive(Debug)]
pub struct IssuedToken {
    pub info: TokenInfo,
    pub token: ApiToken,
}

pub(super) fn hash(token: &ApiToken) -> TokenHash {
    TokenHash(hex(&Sha256::digest(token.expose().as_bytes())))
}

impl Service {
    /// The user behind a token.
    ///
    /// # Errors
    /// `Unauthorized` when it is not valid.
    pub async fn authenticate(&self, token: &ApiToken) -> Result<Caller> {
        self.db.caller_by_token(&hash(token)).await?.ok_or(Error::Unauthorized)
    }

    /// Whom a request is for: the caller, or, for an admin, the user named in `field`.
    ///
    /// # Errors
    /// `Forbidden` when a member names someone else, `Invalid` when there is no such user.
    pub async fn owner(&self, caller: &Caller, field: &str, name: Option<&Owner>) -> Result<(UserId, Owner)> {
        match name {
            None => Ok((caller.user, caller.name.clone())),
            Some(name) if *name == caller.name => Ok((caller.user, caller.name.clone())),
            Some(_) if caller.role != Role::Admin => {
                Err(Error::Forbidden("only an admin may act for another user".to_owned()))
            }
            Some(name) => {
                let user = self.db.user_by_name(name).await?;
                let user = user.ok_or_else(|| Invalid::new(field, format!("there is no user `{name}`")))?;
                Ok((user.id, user.name))
            }
        }
    }

    /// Whose things a list shows: the named user's, all for an admin who names none, else the caller's.
    pub async fn scope(&self, caller: &Caller, field: &str, name: Option<&Owner>) -> Result<Option<UserId>> {
        if name.is_none() && caller.role == Role::Admin {
            return Ok(None);
        }
        Ok(Some(self.owner(caller, field, name).await?.0))
    }

    pub async fn create_user(&self, caller: &Caller, name: Owner, role: Role) -> Result<User> {
        require_admin(caller)?;
        let user = User { id: UserId::new(), name, role, created_at: self.clock.now() };
        self.db.create_user(&user).await?;
        Ok(user)
    }

    pub async fn users(&self, caller: &Caller) -> Result<Vec<User>> {
        require_admin(caller)?;
        Ok(self.db.users().await?)
    }

    /// Makes a token for the caller or, by an admin, for another user.
    pub async fn issue_token(&self, caller: &Caller, name: String, user: Option<&Owner>) -> Result<IssuedToken> {
        if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
            return Err(Invalid::new("name", "must have 1 to 100 characters").into());
        }
        let (user, user_name) = self.owner(caller, "user", user).await?;
        let token = ApiToken::from_random(self.random.bits160()?);
        let info = TokenInfo { id: TokenId::new(), name, user: user_name, created_at: self.clock.now() };
        self.db.create_token(info.id, user, &info.name, &hash(&token), info.created_at).await?;
        Ok(IssuedToken { info, token })
    }

    /// The caller's tokens; an admin's list has everyone's.
    pub async fn tokens(&self, caller: &Caller, user: Option<&Owner>) -> Result<Vec<TokenInfo>> {
        Ok(self.db.tokens(self.scope(caller, "user", user).await?).await?)
    }

    pub async fn revoke_token(&self, caller: &Caller, id: TokenId) -> Result<()> {
        let scope = self.scope(caller, "user", None).await?;
        if self.db.revoke_token(id, scope).await? { Ok(()) } else { Err(Error::NotFound("token")) }
    }

    /// Makes sure that there is an admin with a token: the one from the settings, else the one in `<data>/admin.token`, which
    /// is made at the first start. Gives the token.
    pub async fn ensure_admin(&self) -> Result<ApiToken> {
        let name: Owner = ADMIN.parse()?;
        let admin = if let Some(user) = self.db.user_by_name(&name).await? {
            user
        } else {
            let user = User { id: UserId::new(), name, role: Role::Admin, created_at: self.clock.now() };
            self.db.create_user(&user).await?;
            user
        };
        let token = match &self.settings.admin_token {
            Some(token) => token.expose().parse()?,
            None => self.admin_token_file().await?,
        };
        let (hash, now) = (hash(&token), self.clock.now());
        self.with_reserve(|| self.db.set_named_token(admin.id, ADMIN, &hash, now)).await?;
        Ok(token)
    }

    async fn admin_token_file(&self) -> Result<ApiToken> {
        let path = self.files.data().join("admin.token");
        let fresh = ApiToken::from_random(self.random.bits160()?);
        on_disk::<_, StoreError>(&self.files, move |files| {
            if let Some(token) = read_token(&path) {
                return Ok(token);
            }
            files.write(&path, format!("{}\n", fresh.expose()).as_bytes())?;
            Ok(fresh)
        })
        .await
    }
}

fn read_token(path: &Path) -> Option<ApiToken> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

pub(super) fn require_admin(caller: &Caller) -> Result<()> {
    match caller.role {
        Role::Admin => Ok(()),
        Role::Member => Err(Error::Forbidden("only an admin may do this".to_owned())),
    }
}
