"""An auditor's own tool: `python -m audit.verifier FILE`. No Django, nothing but the standard library."""

VERSION = "0.1.0"
