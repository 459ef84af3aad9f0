//! Loads what the objects of one request refer to in batches: a page of twenty
//! tasks costs one statement for its people, not twenty. Made anew for each
//! request, and keyed by the actor, so that no one sees what was loaded for
//! another.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use dataloader::BatchFn;
use dataloader::cached::Loader;

use crate::actor::Actor;
use crate::entity::{UserId, task, user};
use crate::error::{Error, Result};
use crate::store::second_factor::Summary;
use crate::store::task::{TaskFilter, TaskOrder};
use crate::store::{self, Db, Page, Window};

type Loaded<V> = Result<V, Error>;
type TaskPage = Arc<Page<Arc<task::Model>>>;

/// The loaders of one request.
pub struct Loaders {
    users: Loader<UserKey, Loaded<Option<Arc<user::Model>>>, UserBatch>,
    second_factors: Loader<UserKey, Loaded<Option<Summary>>, SecondFactorBatch>,
    task_pages: Loader<TaskPageKey, Loaded<TaskPage>, TaskPageBatch>,
    task_counts: Loader<TaskCountKey, Loaded<u64>, TaskCountBatch>,
}

impl Loaders {
    pub fn new(db: &Db) -> Self {
        Self {
            users: Loader::new(UserBatch(db.clone())),
            second_factors: Loader::new(SecondFactorBatch(db.clone())),
            task_pages: Loader::new(TaskPageBatch(db.clone())),
            task_counts: Loader::new(TaskCountBatch(db.clone())),
        }
    }

    /// None when there is no such user, or none that the actor may see.
    pub async fn user(&self, actor: Actor, id: UserId) -> Result<Option<Arc<user::Model>>> {
        loaded(self.users.try_load(UserKey { actor, id }).await)
    }

    /// None when this user has no second factor, or the actor may not know.
    pub async fn second_factor(&self, actor: Actor, id: UserId) -> Result<Option<Summary>> {
        loaded(self.second_factors.try_load(UserKey { actor, id }).await)
    }

    /// A page of the tasks assigned to this user.
    pub async fn tasks_of(
        &self,
        actor: Actor,
        assignee: UserId,
        list: Arc<TaskList>,
    ) -> Result<TaskPage> {
        let key = TaskPageKey {
            actor,
            assignee,
            list,
        };
        loaded(self.task_pages.try_load(key).await)
    }

    pub async fn count_tasks_of(
        &self,
        actor: Actor,
        assignee: UserId,
        filter: Arc<TaskFilter>,
    ) -> Result<u64> {
        let key = TaskCountKey {
            actor,
            assignee,
            filter,
        };
        loaded(self.task_counts.try_load(key).await)
    }
}

/// The outer failure is a key that its batch left out, which would be a fault of the batch.
fn loaded<V>(result: std::io::Result<Loaded<V>>) -> Result<V> {
    result.map_err(Error::internal)?
}

/// What is listed, apart from whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskList {
    pub filter: TaskFilter,
    pub order: TaskOrder,
    pub window: Window,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct UserKey {
    actor: Actor,
    id: UserId,
}

struct UserBatch(Db);

impl BatchFn<UserKey, Loaded<Option<Arc<user::Model>>>> for UserBatch {
    async fn load(
        &mut self,
        keys: &[UserKey],
    ) -> HashMap<UserKey, Loaded<Option<Arc<user::Model>>>> {
        let mut found = HashMap::with_capacity(keys.len());
        for (actor, keys) in groups(keys, |key| key.actor) {
            let ids: Vec<UserId> = keys.iter().map(|key| key.id).collect();
            let users = store::user::find_many(&self.0, &actor, &ids)
                .await
                .map(|users| {
                    users
                        .into_iter()
                        .map(|user| (user.id, Arc::new(user)))
                        .collect::<HashMap<_, _>>()
                });
            for key in keys {
                let user = users.as_ref().map(|users| users.get(&key.id).cloned());
                found.insert(key.clone(), user.map_err(Clone::clone));
            }
        }
        found
    }
}

struct SecondFactorBatch(Db);

impl BatchFn<UserKey, Loaded<Option<Summary>>> for SecondFactorBatch {
    async fn load(&mut self, keys: &[UserKey]) -> HashMap<UserKey, Loaded<Option<Summary>>> {
        let mut found = HashMap::with_capacity(keys.len());
        for (actor, keys) in groups(keys, |key| key.actor) {
            let ids: Vec<UserId> = keys.iter().map(|key| key.id).collect();
            let summaries = store::second_factor::find_summaries(&self.0, &actor, &ids).await;
            let summaries = summaries.map(|summaries| {
                summaries
                    .into_iter()
                    .map(|summary| (summary.user_id, summary))
                    .collect::<HashMap<_, _>>()
            });
            for key in keys {
                let summary = summaries.as_ref().map(|all| all.get(&key.id).copied());
                found.insert(key.clone(), summary.map_err(Clone::clone));
            }
        }
        found
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TaskPageKey {
    actor: Actor,
    assignee: UserId,
    list: Arc<TaskList>,
}

struct TaskPageBatch(Db);

impl BatchFn<TaskPageKey, Loaded<TaskPage>> for TaskPageBatch {
    async fn load(&mut self, keys: &[TaskPageKey]) -> HashMap<TaskPageKey, Loaded<TaskPage>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((actor, list), keys) in groups(keys, |key| (key.actor, Arc::clone(&key.list))) {
            let assignees: Vec<UserId> = keys.iter().map(|key| key.assignee).collect();
            let pages = store::task::list_by_assignee(
                &self.0,
                &actor,
                &assignees,
                &list.filter,
                list.order,
                &list.window,
            )
            .await;
            match pages {
                Ok(pages) => found.extend(pages.into_iter().map(|(assignee, page)| {
                    let key = TaskPageKey {
                        actor,
                        assignee,
                        list: Arc::clone(&list),
                    };
                    (key, Ok(Arc::new(page.shared())))
                })),
                Err(error) => {
                    found.extend(
                        keys.into_iter()
                            .map(|key| (key.clone(), Err(error.clone()))),
                    );
                }
            }
        }
        found
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TaskCountKey {
    actor: Actor,
    assignee: UserId,
    filter: Arc<TaskFilter>,
}

struct TaskCountBatch(Db);

impl BatchFn<TaskCountKey, Loaded<u64>> for TaskCountBatch {
    async fn load(&mut self, keys: &[TaskCountKey]) -> HashMap<TaskCountKey, Loaded<u64>> {
        let mut found = HashMap::with_capacity(keys.len());
        for ((actor, filter), keys) in groups(keys, |key| (key.actor, Arc::clone(&key.filter))) {
            let assignees: Vec<UserId> = keys.iter().map(|key| key.assignee).collect();
            let counts = store::task::count_by_assignee(&self.0, &actor, &assignees, &filter).await;
            let counts = counts.map(|counts| counts.into_iter().collect::<HashMap<_, _>>());
            for key in keys {
                let count = counts
                    .as_ref()
                    .map(|counts| counts.get(&key.assignee).copied().unwrap_or(0));
                found.insert(key.clone(), count.map_err(Clone::clone));
            }
        }
        found
    }
}

/// Keys that can be loaded by one statement. There is one group but in rare queries.
fn groups<K, G: Eq + Hash>(keys: &[K], group: impl Fn(&K) -> G) -> HashMap<G, Vec<&K>> {
    let mut groups: HashMap<G, Vec<&K>> = HashMap::new();
    for key in keys {
        groups.entry(group(key)).or_default().push(key);
    }
    groups
}
