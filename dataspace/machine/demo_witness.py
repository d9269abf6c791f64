"""The demo's own witness: shows how a witness works. On the same machine as the log it proves nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dataspace.machine import programs
from dataspace.machine.errors import MachineError
from dataspace.machine.leftovers import SUPERVISED_VARIABLE
from dataspace.machine.paths import PROJECT, Paths
from dataspace.machine.program import Program

NAME = "demo-auditor"
FIRST_PORT = 7380
POLICY = """\
# Written anew at each start of the demo. Set DATASPACE_AUDIT_POLICY to name witnesses of your own.
witness {name} {vkey} http://{host}:{port}
quorum {name}
"""


@dataclass(frozen=True)
class DemoWitness:
    """`log_keys`: the file with the public keys of the log, written before the witness starts."""

    paths: Paths
    port: int

    @classmethod
    def appointed(cls, paths: Paths) -> DemoWitness:
        """Makes its key where there is none, and the policy by which every checkpoint needs its cosignature."""
        witness = cls(paths, programs.free_port(FIRST_PORT))
        done = subprocess.run(
            [*witness._command(), "--show-key"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise MachineError(f"The demo's witness cannot start: {done.stderr.strip()}")
        policy = POLICY.format(name=NAME, vkey=done.stdout.strip(), host=programs.HOST, port=witness.port)
        (paths.checkpointer / "policy").write_text(policy)
        return witness

    @property
    def log_keys(self) -> Path:
        return self.paths.state / "log-keys"

    def program(self, environment: Mapping[str, str]) -> Program:
        """It gets none of our secrets: all it needs are public keys."""
        return Program(
            name="witness",
            argv=(*self._command(), "--log", str(self.log_keys), "--listen", f"{programs.HOST}:{self.port}"),
            environment={"PATH": environment.get("PATH", ""), SUPERVISED_VARIABLE: str(self.paths.data)},
            folder=PROJECT,
            blind_to=self.paths.checkpointer,
        )

    def _command(self) -> tuple[str, ...]:
        folder = str(self.paths.witness)
        return (sys.executable, "-m", "audit.witness", "--folder", folder, "--name", NAME)
