-- How often the token before the present one was shown again after the grace: bounded, since it gives the present token to
-- whoever shows it, and that may be a thief. Zero again with each rotation.
alter table sessions add column repeats smallint not null default 0;
