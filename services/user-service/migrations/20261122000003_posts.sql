-- Posts and what hangs on them. A post's row never changes, so that the feed's index answers without visiting it; what
-- changes with every like and comment stands apart, in rows small enough to be rewritten in place.
create table posts (
    id        uuid not null,
    author_id uuid not null references profiles,
    body      text not null check (char_length(body) between 1 and 2000),
    -- The newest posts of everyone, with their authors, from the index alone: the first attempt of the home feed.
    primary key (id) include (author_id)
);
-- An author's posts, newest first.
create index posts_author_idx on posts (author_id, id desc);

-- How much an author wrote, and the newest of it: the second attempt of the home feed reads one such narrow row for each
-- followed account instead of searching all their posts. An account without posts may have none.
create table author_activity (
    author_id    uuid primary key references profiles,
    posts_count  bigint not null check (posts_count >= 0),
    last_post_id uuid
) with (fillfactor = 50);

create table post_counters (
    post_id        uuid primary key references posts on delete cascade,
    likes_count    bigint not null default 0 check (likes_count >= 0),
    comments_count bigint not null default 0 check (comments_count >= 0)
) with (fillfactor = 50);

create table likes (
    post_id    uuid not null references posts on delete cascade,
    account_id uuid not null references profiles,
    id         uuid not null,
    primary key (post_id, account_id)
);
create index likes_newest_idx on likes (post_id, id desc) include (account_id);

create table comments (
    id        uuid primary key,
    post_id   uuid not null references posts on delete cascade,
    author_id uuid not null references profiles,
    body      text not null check (char_length(body) between 1 and 1000)
);
create index comments_post_idx on comments (post_id, id desc);
