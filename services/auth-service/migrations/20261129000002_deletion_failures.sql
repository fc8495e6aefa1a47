-- Failures in a row, from which the pause follows. attempts goes on counting whatever was taken, progress too: it tells a taker
-- its own row.
alter table account_deletions add column failures integer not null default 0;
