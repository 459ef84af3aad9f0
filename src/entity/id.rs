//! Typed ids. In the database an id is a UUIDv7, to the outside a TypeID
//! (<https://github.com/jetify-com/typeid>, version 0.3.0 of its specification):
//! the type's prefix, an underscore, and the UUID in lower-case Crockford base32.

use std::fmt;
use std::str::FromStr;

use sea_orm::{DbErr, DeriveValueType, TryFromU64};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A text that is not the TypeID that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a TypeID of this type")]
pub struct InvalidId;

macro_rules! typed_ids {
    ($($name:ident, $variant:ident, $prefix:literal;)*) => {
        $(
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
            pub struct $name(pub Uuid);

            impl $name {
                pub const PREFIX: &'static str = $prefix;
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&encode(Self::PREFIX, self.0))
                }
            }

            impl FromStr for $name {
                type Err = InvalidId;

                fn from_str(text: &str) -> Result<Self, InvalidId> {
                    match decode(text)? {
                        (Self::PREFIX, uuid) => Ok(Self(uuid)),
                        _ => Err(InvalidId),
                    }
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?
                        .parse()
                        .map_err(serde::de::Error::custom)
                }
            }

            // SeaORM asks this of every primary key; only keys that the database counts can answer.
            impl TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                    Err(DbErr::ConvertFromU64(stringify!($name)))
                }
            }
        )*

        /// An id of any type, as `node` takes it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ObjectId {
            $($variant($name),)*
        }

        impl FromStr for ObjectId {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                match decode(text)? {
                    $(($name::PREFIX, uuid) => Ok(Self::$variant($name(uuid))),)*
                    _ => Err(InvalidId),
                }
            }
        }
    };
}

typed_ids! {
    UserId, User, "user";
    ApprovalId, Approval, "approval";
    TaskId, Task, "task";
    SessionId, Session, "session";
    ResetTokenId, ResetToken, "reset_token";
    DeliveryId, Delivery, "delivery";
    AccountEventId, AccountEvent, "account_event";
    ApiTokenId, ApiToken, "api_token";
    EmailConfirmationId, EmailConfirmation, "email_confirmation";
    InvitationId, Invitation, "invitation";
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LENGTH: usize = 26;
const PREFIX_MAX: usize = 63;

fn encode(prefix: &str, uuid: Uuid) -> String {
    let mut text = String::with_capacity(prefix.len() + 1 + SUFFIX_LENGTH);
    if !prefix.is_empty() {
        text.push_str(prefix);
        text.push('_');
    }
    let bits = uuid.as_u128();
    for position in (0..SUFFIX_LENGTH).rev() {
        let digit = usize::try_from((bits >> (position * 5)) & 31).unwrap_or_default();
        text.push(char::from(ALPHABET[digit]));
    }
    text
}

fn decode(text: &str) -> Result<(&str, Uuid), InvalidId> {
    let (prefix, suffix) = match text.rsplit_once('_') {
        Some(("", _)) => return Err(InvalidId),
        Some(parts) => parts,
        None => ("", text),
    };
    let prefix_is_valid = prefix.len() <= PREFIX_MAX
        && prefix.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        && !prefix.starts_with('_')
        && !prefix.ends_with('_');
    // 26 digits of 5 bits hold 130: a first digit above 7 would not fit a UUID.
    let suffix_fits = suffix.len() == SUFFIX_LENGTH && suffix.as_bytes()[0] <= b'7';
    if !prefix_is_valid || !suffix_fits {
        return Err(InvalidId);
    }
    let mut bits: u128 = 0;
    for byte in suffix.bytes() {
        let digit = ALPHABET.iter().position(|&c| c == byte).ok_or(InvalidId)?;
        bits = (bits << 5) | u128::try_from(digit).map_err(|_| InvalidId)?;
    }
    Ok((prefix, Uuid::from_u128(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Valid {
        name: String,
        typeid: String,
        prefix: String,
        uuid: Uuid,
    }

    #[derive(Deserialize)]
    struct Invalid {
        name: String,
        typeid: String,
    }

    #[test]
    fn the_valid_vectors_of_the_specification_hold_in_both_directions() {
        let vectors: Vec<Valid> = serde_json::from_str(include_str!("typeid_valid.json")).unwrap();
        assert!(vectors.len() >= 9);
        for vector in vectors {
            assert_eq!(
                decode(&vector.typeid),
                Ok((vector.prefix.as_str(), vector.uuid)),
                "{}",
                vector.name
            );
            assert_eq!(encode(&vector.prefix, vector.uuid), vector.typeid);
        }
    }

    #[test]
    fn the_invalid_vectors_of_the_specification_are_refused() {
        let vectors: Vec<Invalid> =
            serde_json::from_str(include_str!("typeid_invalid.json")).unwrap();
        assert!(vectors.len() >= 20);
        for vector in vectors {
            assert_eq!(decode(&vector.typeid), Err(InvalidId), "{}", vector.name);
        }
    }

    #[test]
    fn an_id_of_another_type_is_refused() {
        let task = TaskId(Uuid::from_u128(7)).to_string();
        assert_eq!(task.parse::<UserId>(), Err(InvalidId));
        assert_eq!(task.parse(), Ok(ObjectId::Task(TaskId(Uuid::from_u128(7)))));
    }
}
