//! Objects by their global ids.

use std::collections::HashMap;

use async_graphql::{Context, ID, Interface, Object};

use super::access::{self, auth};
use super::account_event::AccountEvent;
use super::api_token::ApiToken;
use super::approval::Approval;
use super::delivery::Delivery;
use super::invitation::Invitation;
use super::session::Session;
use super::task::Task;
use super::user::User;
use super::{muster, request_time};
use crate::actor::Actor;
use crate::entity::ObjectId;
use crate::error::Result;
use crate::store;

/// Anything that has a global id.
#[derive(Interface, Clone)]
#[graphql(field(
    name = "id",
    ty = "ID",
    desc = "Opaque and globally unique: a TypeID such as user_01h455vb4pex5vsknk084sn02q."
))]
pub enum Node {
    User(User),
    Approval(Approval),
    Task(Task),
    Session(Session),
    AccountEvent(AccountEvent),
    ApiToken(ApiToken),
    Invitation(Invitation),
    Delivery(Delivery),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id. Null when there is no such object or the viewer may not see it.
    /// Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::NODE.into()))]
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The object's global id.")] id: ID,
    ) -> Option<Result<Node>> {
        async {
            let actor = access::require(ctx, access::NODE)?;
            let found = find(ctx, &actor, std::slice::from_ref(&id)).await?;
            Ok(found.into_iter().next().flatten())
        }
        .await
        .transpose()
    }

    /// Objects by their ids, in the order of the ids. Each is null where there is no such object
    /// or the viewer may not see it. At most 100. Requires EMPLOYEE.
    #[graphql(directive = auth::apply(access::NODES.into()))]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The objects' global ids; at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        let actor = access::require(ctx, access::NODES)?;
        find(ctx, &actor, &ids).await
    }
}

/// One statement for each type among the ids.
async fn find(ctx: &Context<'_>, actor: &Actor, ids: &[ID]) -> Result<Vec<Option<Node>>> {
    let db = &muster(ctx).db;
    let wanted: Vec<Option<ObjectId>> = ids.iter().map(|id| id.parse().ok()).collect();
    let (mut users, mut approvals, mut tasks) = (vec![], vec![], vec![]);
    let (mut sessions, mut events, mut tokens) = (vec![], vec![], vec![]);
    let (mut invitations, mut deliveries) = (vec![], vec![]);
    for id in wanted.iter().flatten() {
        match id {
            ObjectId::User(id) => users.push(*id),
            ObjectId::Approval(id) => approvals.push(*id),
            ObjectId::Task(id) => tasks.push(*id),
            ObjectId::Session(id) => sessions.push(*id),
            ObjectId::AccountEvent(id) => events.push(*id),
            ObjectId::ApiToken(id) => tokens.push(*id),
            ObjectId::Invitation(id) => invitations.push(*id),
            ObjectId::Delivery(id) => deliveries.push(*id),
            // Not objects of the schema.
            ObjectId::ResetToken(_) | ObjectId::EmailConfirmation(_) => {}
        }
    }
    let mut nodes: HashMap<ObjectId, Node> = HashMap::new();
    if !users.is_empty() {
        for row in store::user::find_many(db, actor, &users).await? {
            nodes.insert(ObjectId::User(row.id), Node::User(User::new(*actor, row)));
        }
    }
    if !approvals.is_empty() {
        for row in store::approval::find_many(db, actor, &approvals).await? {
            let id = ObjectId::Approval(row.id);
            nodes.insert(id, Node::Approval(Approval::new(*actor, row)));
        }
    }
    if !tasks.is_empty() {
        for row in store::task::find_many(db, actor, &tasks).await? {
            nodes.insert(ObjectId::Task(row.id), Node::Task(Task::new(*actor, row)));
        }
    }
    if !sessions.is_empty() {
        let now = request_time(ctx);
        for row in store::session::find_many(db, actor, &sessions, now).await? {
            let id = ObjectId::Session(row.id);
            nodes.insert(id, Node::Session(Session::new(*actor, row)));
        }
    }
    if !tokens.is_empty() {
        let now = request_time(ctx);
        for row in store::api_token::find_many(db, actor, &tokens, now).await? {
            let id = ObjectId::ApiToken(row.id);
            nodes.insert(id, Node::ApiToken(ApiToken::new(*actor, row)));
        }
    }
    if !events.is_empty() {
        for row in store::account_event::find_many(db, actor, &events).await? {
            let id = ObjectId::AccountEvent(row.id);
            nodes.insert(id, Node::AccountEvent(AccountEvent::new(*actor, row)));
        }
    }
    if !invitations.is_empty() {
        for row in store::invitation::find_many(db, actor, &invitations).await? {
            let id = ObjectId::Invitation(row.id);
            nodes.insert(id, Node::Invitation(Invitation::new(*actor, row)));
        }
    }
    if !deliveries.is_empty() {
        for row in store::delivery::find_many(db, actor, &deliveries).await? {
            let id = ObjectId::Delivery(row.id);
            nodes.insert(id, Node::Delivery(Delivery::new(*actor, row)));
        }
    }
    Ok(wanted
        .iter()
        .map(|id| id.as_ref().and_then(|id| nodes.get(id).cloned()))
        .collect())
}
