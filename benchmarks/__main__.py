"""`make bench`: all of them but those that install something; `make bench ARGS=overhead`: one."""

from __future__ import annotations

import runpy
import sys

NAMES = ("overhead", "publish", "disclosure", "lp_audit", "verifier", "audit_log")
BY_NAME = ("peers",)  # other systems, in environments of their own

if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")] or list(NAMES)
    options = [name for name in sys.argv[1:] if name.startswith("-")]
    for name in chosen:
        if name not in NAMES + BY_NAME:
            sys.exit(f"There is no benchmark {name}. There are: {', '.join(NAMES + BY_NAME)}")
        print(f"== {name}", flush=True)
        sys.argv = [name, *options]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
