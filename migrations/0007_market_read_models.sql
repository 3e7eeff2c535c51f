-- Read models of the market plane, in the shape of 0005: what is suspended, how venues list instruments, what accounts
-- hold there, how near they are to liquidation, and what funding paid.

do $$
declare
    view_name text;
begin
    foreach view_name in array array['suspensions', 'instruments', 'balances', 'margin', 'funding'] loop
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

create index suspensions_subject_idx on public.suspensions ((document ->> 'subject'), sort, key);
create index instruments_venue_idx on public.instruments ((document ->> 'venue'), sort, key);
create index instruments_base_idx on public.instruments ((document ->> 'base'), sort, key);
create index balances_venue_idx on public.balances ((document ->> 'venue'), sort, key);
create index balances_asset_idx on public.balances ((document ->> 'asset'), sort, key);
create index margin_venue_idx on public.margin ((document ->> 'venue'), sort, key);
create index funding_venue_idx on public.funding ((document ->> 'venue'), sort, key);
create index funding_symbol_idx on public.funding ((document ->> 'symbol'), sort, key);
