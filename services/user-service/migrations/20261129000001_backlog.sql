-- What takes long is marked here by the request that wants it, and done afterwards, a batch at a time.

-- Deleting a post costs the same whatever hangs on it: likes and comments are found through their post only, and removed when
-- it is gone. Whoever adds one holds the post's row first, so that none is added later.
alter table likes drop constraint likes_post_id_fkey;
alter table comments drop constraint comments_post_id_fkey;

-- Posts that are gone, and whose likes and comments may not be.
create table removed_posts (
    post_id    uuid primary key,
    removed_at timestamptz not null default now()
);
create index removed_posts_removed_at_idx on removed_posts (removed_at);

-- By a trigger, so that no way of deleting a post can forget it, and members of the version before do it as well.
create function note_removed_posts() returns trigger language plpgsql as $$
begin
    insert into removed_posts (post_id) select id from gone on conflict do nothing;
    return null;
end
$$;
create trigger posts_removed after delete on posts
    referencing old table as gone for each statement execute function note_removed_posts();

-- Accounts that turned public, and whose requests to follow may not all be accepted yet.
create table acceptances (
    account_id uuid primary key references profiles on delete cascade
);

-- Deletions that go on.
create index deleted_accounts_unfinished_idx on deleted_accounts (deleted_at) where finished_at is null;
