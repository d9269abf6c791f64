"""Writing an entry costs every change in the space as little as can be: the outbox takes what it is given. What is no
entry stays there, unsealed and shown (audit/sealer.py), and whoever reads the outbox steps over it.
"""

from django.db import migrations

FORWARD = r"""
-- Nothing here is looked up by a name that a search path could lead elsewhere.
CREATE OR REPLACE FUNCTION audit_emit(event_id uuid, body bytea) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO public.audit_outbox (event_id, body) VALUES ($1, $2);
END $$;
ALTER FUNCTION audit_emit(uuid, bytea) RESET ALL;

-- What a body says; nothing where it is no JSON.
CREATE FUNCTION audit_said(body bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION audit_only_erased_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT event_id::text, field FROM gone
    EXCEPT
    SELECT i.id, f.field FROM
      (SELECT audit_said(body)->'x' AS x FROM audit_outbox
       WHERE position('{"act":"log.erased"'::bytea IN body) = 1) said,
      LATERAL jsonb_path_query(x, '$.ids[*]') AS ids (one), LATERAL jsonb_path_query(x, '$.fields[*]') AS fields (one),
      LATERAL (SELECT ids.one #>> '{}') AS i (id), LATERAL (SELECT fields.one #>> '{}') AS f (field)
  ) THEN
    RAISE EXCEPTION 'a personal field leaves only together with an entry that says so';
  END IF;
  RETURN NULL;
END $$;
"""

BACKWARD = "DROP FUNCTION audit_said(bytea);"


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_checkpoints")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
