-- The read model of what was found of the hedges' places, proposed and moved, in the shape of 0005.

create table public.rebalancing (
    key text collate "C" primary key,
    sort bigint not null,
    open boolean not null,
    position bigint not null check (position >= sort),
    document jsonb not null
) with (fillfactor = 80);
create unique index rebalancing_listing_idx on public.rebalancing (sort, key);
create index rebalancing_open_idx on public.rebalancing (sort, key) where open;
grant insert, update, delete on public.rebalancing to ballast_writer;

-- What rows can be asked by, as the view's `lookups` say.
create index rebalancing_kind_idx on public.rebalancing ((document ->> 'kind'), sort, key);
create index rebalancing_underlying_idx on public.rebalancing ((document ->> 'underlying'), sort, key);
