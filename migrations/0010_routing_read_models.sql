-- Read models of hedges with their certificates, of what trading costs, and of flows that were netted inside, in the
-- shape of 0005.

do $$
declare
    view_name text;
begin
    foreach view_name in array array['hedges', 'costs', 'internalised'] loop
        execute format(
            'create table public.%I (
                key text collate "C" primary key,
                sort bigint not null,
                open boolean not null,
                position bigint not null check (position >= sort),
                document jsonb not null
            )', view_name);
        execute format('create unique index %I on public.%I (sort, key)', view_name || '_listing_idx', view_name);
        execute format('create index %I on public.%I (sort, key) where open', view_name || '_open_idx', view_name);
        execute format('alter table public.%I set (fillfactor = 80)', view_name);
        execute format('grant insert, update, delete on public.%I to ballast_writer', view_name);
    end loop;
end
$$;

-- What rows can be asked by, as the views' `lookups` say.
create index hedges_hedge_id_idx on public.hedges ((document ->> 'hedge_id'), sort, key);
create index hedges_request_id_idx on public.hedges ((document ->> 'request_id'), sort, key);
create index hedges_underlying_idx on public.hedges ((document ->> 'underlying'), sort, key);
create index costs_day_idx on public.costs ((document ->> 'day'), sort, key);
create index costs_symbol_idx on public.costs ((document ->> 'symbol'), sort, key);
create index costs_venue_idx on public.costs ((document ->> 'venue'), sort, key);
create index internalised_request_id_idx on public.internalised ((document ->> 'request_id'), sort, key);
create index internalised_underlying_idx on public.internalised ((document ->> 'underlying'), sort, key);
