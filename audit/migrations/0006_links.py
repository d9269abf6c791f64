"""Each entry's link is checked once for the whole batch that was sealed: a foreign key asks for every row by itself.

That two entries are not alike needs no index: `seq` stands in the bytes, and the leaf hash is over them.
"""

from django.db import migrations

FORWARD = r"""
ALTER TABLE audit_entry
  DROP CONSTRAINT audit_entry_link, DROP CONSTRAINT audit_entry_place, DROP CONSTRAINT audit_entry_leaf_once,
  DROP COLUMN prev_seq;

CREATE FUNCTION audit_linked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE first record;
BEGIN
  SELECT seq, prev INTO first FROM added ORDER BY seq LIMIT 1;
  IF (first.seq = 0 AND first.prev <> decode(repeat('00', 32), 'hex'))
     OR (first.seq > 0 AND NOT EXISTS (SELECT 1 FROM audit_entry WHERE seq = first.seq - 1 AND leaf = first.prev))
     OR EXISTS (
       SELECT 1 FROM (
         SELECT seq, prev, lag(seq) OVER in_order AS seq_before, lag(leaf) OVER in_order AS leaf_before
         FROM added WINDOW in_order AS (ORDER BY seq)
       ) links
       WHERE seq <> seq_before + 1 OR prev <> leaf_before
     )
  THEN
    RAISE foreign_key_violation USING MESSAGE = 'an audit entry holds the hash of the one before';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_entry_linked AFTER INSERT ON audit_entry
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_linked();

-- A batch is looked up entry by entry: to read the whole log for it costs more with every day.
ALTER FUNCTION audit_only_sealed_leave() SET enable_hashjoin = off;
ALTER FUNCTION audit_only_sealed_leave() SET enable_mergejoin = off;
ALTER FUNCTION audit_only_sealed_leave() SET enable_seqscan = off;
"""

BACKWARD = r"""
ALTER FUNCTION audit_only_sealed_leave() RESET ALL;
DROP TRIGGER audit_entry_linked ON audit_entry;
DROP FUNCTION audit_linked();
ALTER TABLE audit_entry
  ADD COLUMN prev_seq bigint GENERATED ALWAYS AS (CASE WHEN seq > 0 THEN seq - 1 END) STORED,
  ADD CONSTRAINT audit_entry_leaf_once UNIQUE (leaf),
  ADD CONSTRAINT audit_entry_place UNIQUE (seq, leaf),
  ADD CONSTRAINT audit_entry_link FOREIGN KEY (prev_seq, prev) REFERENCES audit_entry (seq, leaf);
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_bodies")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
