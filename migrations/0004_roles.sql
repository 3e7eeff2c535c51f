-- Two group roles, the same for every database of a server. Login roles are made members of them (adapters/postgres/roles.py).
-- The log's tables: insert and select, nothing else, for the service; select for the auditor.

do $$
declare
    wanted text;
begin
    foreach wanted in array array['ballast_writer', 'ballast_auditor'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin', wanted);
            exception when duplicate_object or unique_violation then
                null; -- another database's migration made it at the same moment
            end;
        end if;
    end loop;
end
$$;

grant usage on schema public to ballast_writer, ballast_auditor;

grant select on all tables in schema public to ballast_writer, ballast_auditor;
alter default privileges in schema public grant select on tables to ballast_writer, ballast_auditor;

grant insert on public.stored_events, public.command_outcomes to ballast_writer;
grant update on public.writer_epoch to ballast_writer;
grant insert, delete on public.snapshots, public.stored_snapshots to ballast_writer;
grant insert, update, delete on public.projection_checkpoints, public.projection_snapshots to ballast_writer;

revoke all on function public.append_fence(bigint, bigint, bigint) from public;
grant execute on function public.append_fence(bigint, bigint, bigint) to ballast_writer;
