-- Read models of the chain, in the shape of 0005: every transaction, the minting contract as seen last, and whom it
-- lets do what.

do $$
declare
    view_name text;
begin
    foreach view_name in array array['transactions', 'contract', 'parties'] loop
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

create index transactions_sender_idx on public.transactions ((document ->> 'sender'), sort, key);
create index transactions_settlement_id_idx on public.transactions ((document ->> 'settlement_id'), sort, key);
create index transactions_request_id_idx on public.transactions ((document ->> 'request_id'), sort, key);
create index parties_kind_idx on public.parties ((document ->> 'kind'), sort, key);
create index parties_party_idx on public.parties ((document ->> 'party'), sort, key);
create index parties_owner_idx on public.parties ((document ->> 'owner'), sort, key);
