"""The published log: tree, signed checkpoints, tiles, witnesses, time stamps. The format: docs/audit-log.md."""
