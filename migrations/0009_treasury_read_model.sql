-- The read model of what the treasury asks of people, in the shape of 0005.

create table public.treasury (
    key text collate "C" primary key,
    sort bigint not null,
    open boolean not null,
    position bigint not null check (position >= sort),
    document jsonb not null
) with (fillfactor = 80);
create unique index treasury_listing_idx on public.treasury (sort, key);
create index treasury_open_idx on public.treasury (sort, key) where open;
grant insert, update, delete on public.treasury to ballast_writer;
