-- Who follows whom, who asked to, who blocked whom. Ids are UUIDv7: they order the lists and carry the time.
create table follows (
    id          uuid not null,
    follower_id uuid not null references profiles,
    followee_id uuid not null references profiles,
    primary key (follower_id, followee_id),
    check (follower_id <> followee_id)
);
create index follows_following_idx on follows (follower_id, id desc) include (followee_id);
create index follows_followers_idx on follows (followee_id, id desc) include (follower_id);

create table follow_requests (
    id           uuid not null,
    requester_id uuid not null references profiles,
    target_id    uuid not null references profiles,
    primary key (requester_id, target_id),
    check (requester_id <> target_id)
);
create index follow_requests_target_idx on follow_requests (target_id, id desc) include (requester_id);

create table blocks (
    id         uuid not null,
    blocker_id uuid not null references profiles,
    blocked_id uuid not null references profiles,
    primary key (blocker_id, blocked_id),
    check (blocker_id <> blocked_id)
);
create index blocks_blocker_idx on blocks (blocker_id, id desc) include (blocked_id);
