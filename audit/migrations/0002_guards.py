"""What the database itself refuses: forks, gaps, edits, deletions, truncation, and dropping what is not sealed."""

from django.db import migrations

FORWARD = r"""
ALTER TABLE audit_entry
  ADD COLUMN prev_seq bigint GENERATED ALWAYS AS (CASE WHEN seq > 0 THEN seq - 1 END) STORED,
  ADD CONSTRAINT audit_entry_prev_once UNIQUE (prev),
  ADD CONSTRAINT audit_entry_leaf_once UNIQUE (leaf),
  ADD CONSTRAINT audit_entry_place UNIQUE (seq, leaf),
  ADD CONSTRAINT audit_entry_from_zero CHECK (seq >= 0),
  ADD CONSTRAINT audit_entry_hash CHECK (leaf = sha256('\x00'::bytea || body)),
  ADD CONSTRAINT audit_entry_holds_prev CHECK (substring(body FROM 11 FOR 64) = convert_to(encode(prev, 'hex'), 'UTF8')),
  ADD CONSTRAINT audit_entry_link FOREIGN KEY (prev_seq, prev) REFERENCES audit_entry (seq, leaf);

CREATE FUNCTION audit_emit(event_id uuid, body bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS
$$ INSERT INTO audit_outbox (event_id, body) VALUES (event_id, body) $$;

CREATE FUNCTION audit_never() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only: % on % refused', TG_OP, TG_TABLE_NAME; END $$;

CREATE FUNCTION audit_only_sealed_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM gone WHERE NOT EXISTS
             (SELECT 1 FROM audit_entry e WHERE e.event_id = gone.event_id
              AND substring(e.body FROM length(e.body) - length(gone.body) + 2) = substring(gone.body FROM 2))) THEN
    RAISE EXCEPTION 'an audit entry leaves the outbox only when it is sealed';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_entry_no_change BEFORE UPDATE OR DELETE ON audit_entry
  FOR EACH ROW EXECUTE FUNCTION audit_never();
CREATE TRIGGER audit_entry_no_truncate BEFORE TRUNCATE ON audit_entry
  FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE TRIGGER audit_outbox_no_change BEFORE UPDATE ON audit_outbox
  FOR EACH ROW EXECUTE FUNCTION audit_never();
CREATE TRIGGER audit_outbox_no_truncate BEFORE TRUNCATE ON audit_outbox
  FOR EACH STATEMENT EXECUTE FUNCTION audit_never();
CREATE TRIGGER audit_outbox_sealed_only AFTER DELETE ON audit_outbox
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION audit_only_sealed_leave();
"""

BACKWARD = r"""
DROP TRIGGER audit_outbox_sealed_only ON audit_outbox;
DROP TRIGGER audit_outbox_no_truncate ON audit_outbox;
DROP TRIGGER audit_outbox_no_change ON audit_outbox;
DROP TRIGGER audit_entry_no_truncate ON audit_entry;
DROP TRIGGER audit_entry_no_change ON audit_entry;
DROP FUNCTION audit_only_sealed_leave(), audit_never(), audit_emit(uuid, bytea);
ALTER TABLE audit_entry
  DROP CONSTRAINT audit_entry_link, DROP CONSTRAINT audit_entry_holds_prev, DROP CONSTRAINT audit_entry_hash,
  DROP CONSTRAINT audit_entry_from_zero, DROP CONSTRAINT audit_entry_place, DROP CONSTRAINT audit_entry_leaf_once,
  DROP CONSTRAINT audit_entry_prev_once, DROP COLUMN prev_seq;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
