"""What the outbox takes is the body of an entry: one row that is none must not keep all others from being read or sealed.

Whether its bytes are canonical is looked at by the sealer, by the verifier's own rules.
"""

from django.db import migrations

FORWARD = r"""
CREATE FUNCTION audit_is_body(event_id uuid, body bytea) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE said jsonb := convert_from($2, 'UTF8')::jsonb;  -- fails for what is no JSON
BEGIN
  RETURN position('{"act":"'::bytea IN $2) = 1
    AND said ?& ARRAY['act', 'actor', 'id', 'obj', 'org', 'out', 't', 'v']
    AND NOT said ?| ARRAY['_prev', '_seq']
    AND said->>'id' = $1::text AND said->>'act' <> 'log.init';
END $$;

ALTER TABLE audit_outbox ADD CONSTRAINT audit_outbox_body CHECK (audit_is_body(event_id, body));

CREATE OR REPLACE FUNCTION audit_emit(event_id uuid, body bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO audit_outbox (event_id, body) VALUES ($1, $2);
  -- Looked up after the insert: whoever wrote the same id at the same time has been waited for, sealing included.
  IF EXISTS (SELECT 1 FROM audit_entry WHERE event_id = $1) THEN
    RAISE unique_violation USING MESSAGE = 'the log holds an entry with this event id already';
  END IF;
  -- Nobody outside would believe an erasure of what is not in the log.
  IF position('{"act":"log.erased"'::bytea IN $2) = 1 AND EXISTS (
    SELECT 1 FROM jsonb_array_elements_text(convert_from($2, 'UTF8')::jsonb->'x'->'ids') AS i (id)
    WHERE NOT EXISTS (SELECT 1 FROM audit_entry WHERE event_id = i.id::uuid)
      AND NOT EXISTS (SELECT 1 FROM audit_outbox WHERE event_id = i.id::uuid AND event_id <> $1)
  ) THEN
    RAISE foreign_key_violation USING MESSAGE = 'an erasure names entries that are there';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION audit_only_erased_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT event_id::text, field FROM gone
    EXCEPT
    SELECT i.id, f.field FROM
      (SELECT convert_from(body, 'UTF8')::jsonb->'x' AS x FROM audit_outbox
       WHERE position('{"act":"log.erased"'::bytea IN body) = 1) said,
      LATERAL jsonb_array_elements_text(x->'ids') AS i (id), LATERAL jsonb_array_elements_text(x->'fields') AS f (field)
  ) THEN
    RAISE EXCEPTION 'a personal field leaves only together with an entry that says so';
  END IF;
  RETURN NULL;
END $$;
"""

BACKWARD = r"""
ALTER TABLE audit_outbox DROP CONSTRAINT audit_outbox_body;
DROP FUNCTION audit_is_body(uuid, bytea);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_checkpoints")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
