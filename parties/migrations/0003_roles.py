"""The database refuses a role that does not exist in an organization of that kind (parties/roles.py, ROLES_OF)."""

from django.db import migrations

FORWARD = r"""
CREATE FUNCTION parties_role_exists() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM parties_user u JOIN parties_organization o ON o.id = u.organization_id
    WHERE u.id = NEW.user_id AND NEW.role = ANY (CASE o.kind
      WHEN 'provider' THEN ARRAY['member', 'steward', 'approver', 'signatory', 'auditor']
      WHEN 'enterprise' THEN ARRAY['member', 'signatory', 'auditor']
      WHEN 'bureau' THEN ARRAY['member', 'approver', 'signatory', 'reviewer', 'administrator']
      WHEN 'operator' THEN ARRAY['member', 'reviewer', 'auditor']
      WHEN 'auditor' THEN ARRAY['member', 'auditor'] END)) THEN
    RAISE check_violation USING MESSAGE = format('the role %s does not exist in the organization of this account', NEW.role);
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER parties_role_exists BEFORE INSERT OR UPDATE ON parties_membership
  FOR EACH ROW EXECUTE FUNCTION parties_role_exists();
"""

BACKWARD = r"""
DROP TRIGGER parties_role_exists ON parties_membership;
DROP FUNCTION parties_role_exists();
"""


class Migration(migrations.Migration):
    dependencies = [("parties", "0002_event_id")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
