"""`make bench`: all of them; `make bench ARGS=overhead`: one."""

from __future__ import annotations

import runpy
import sys

NAMES = ("overhead", "publish", "disclosure", "lp_audit", "verifier", "audit_log")

if __name__ == "__main__":
    chosen = [name for name in sys.argv[1:] if not name.startswith("-")] or list(NAMES)
    options = [name for name in sys.argv[1:] if name.startswith("-")]
    for name in chosen:
        if name not in NAMES:
            sys.exit(f"There is no benchmark {name}. There are: {', '.join(NAMES)}")
        print(f"== {name}", flush=True)
        sys.argv = [name, *options]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
