-- Counters of posts and authors, for many at once: whoever finds a counter's row held by another transaction does not wait for its
-- commit but appends a row here, and the members fold these into the counters once a second. A counter is its row and what is
-- appended. No foreign keys: a row whose counter is gone is folded into nothing.
create table post_deltas (
    id       bigint generated always as identity primary key,
    post_id  uuid not null,
    likes    integer not null,
    comments integer not null
);
create index post_deltas_post_idx on post_deltas (post_id) include (likes, comments);

create table author_deltas (
    id           bigint generated always as identity primary key,
    author_id    uuid not null,
    -- What was published.
    last_post_id uuid not null
);
create index author_deltas_author_idx on author_deltas (author_id, last_post_id);

-- A counter's own row may be below zero for as long as a delta makes up for it; members of the version before, which do not know
-- of deltas, then say too little for a second.
alter table post_counters drop constraint post_counters_likes_count_check;
alter table post_counters drop constraint post_counters_comments_count_check;
alter table author_activity drop constraint author_activity_posts_count_check;
