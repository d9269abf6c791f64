"""The `dataspace` command."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping

from dataspace.machine import doctor, launch, paths, services, testing, translations
from dataspace.machine.errors import MachineError
from dataspace.machine.lock import AlreadyRunningError
from dataspace.machine.paths import PROJECT
from dataspace.machine.supervisor import StopRequestedError, Supervisor

# Commands that hand all their arguments on, and so are not parsed here.
PASSED_ON: Mapping[str, str] = {
    "manage": "run a command of manage.py with the services at hand",
    "publish": "publish your own files: publish FILE …",
    "bench": "run benchmarks/ on services of its own",
    "test": "run pytest on services of its own",
}


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    try:
        if words and words[0] in PASSED_ON:
            return _pass_on(words[0], words[1:])
        arguments = _parser().parse_args(words)
        act: Callable[[argparse.Namespace], int] = arguments.act
        return act(arguments)
    except MachineError as error:
        print(f"dataspace: {error}", file=sys.stderr)
        return 1
    except (StopRequestedError, KeyboardInterrupt):
        return 130


def _pass_on(command: str, arguments: list[str]) -> int:
    if command == "test":
        return testing.run_tests(paths.from_environment(), arguments)
    if command == "bench":
        return testing.run_benchmarks(paths.from_environment(), arguments)
    return _manage(["publish_file", *arguments] if command == "publish" else arguments)


def _manage(arguments: list[str]) -> int:
    """Runs manage.py on the running services, or starts them for as long as it takes."""
    here = paths.from_environment()
    command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
    try:
        with services.started(here) as (supervisor, known):
            return supervisor.run(command, known.environment)
    except AlreadyRunningError:
        with Supervisor(here.log) as supervisor:
            return supervisor.run(command, services.environment(here))


def _up(_arguments: argparse.Namespace) -> int:
    return launch.up(paths.from_environment())


def _demo(_arguments: argparse.Namespace) -> int:
    return launch.up(paths.from_environment(), demo=True)


def _demo_reset(_arguments: argparse.Namespace) -> int:
    here = paths.from_environment()
    launch.reset(here)
    print(f"Nothing is left of the demo in {here.data}.")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    return doctor.main(
        paths.from_environment(), fix=arguments.fix, tests=arguments.tests, quiet=arguments.quiet
    )


def _audit(arguments: argparse.Namespace) -> int:
    if arguments.what == "export":
        return _manage(["audit_export", arguments.path])
    command = [sys.executable, "-m", "audit.verifier", arguments.path]
    return subprocess.call(command)  # noqa: S603 - our own module, no shell


def _messages(arguments: argparse.Namespace) -> int:
    """Updates and compiles; with --check changes nothing and returns 1 if something is missing."""
    changes = translations.update(write=not arguments.check)
    wanting = 0
    for change in changes:
        missing = change.untranslated if change.locale != translations.SOURCE_LOCALE else 0
        wanting += change.changed or missing > 0
        print(f"{change.locale}: {'changed' if change.changed else 'as it was'}, {missing} untranslated")
    translations.compile_changed()
    return 1 if arguments.check and wanting else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dataspace", description="A city's trusted data space.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, words: str, act: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=words)
        command.set_defaults(act=act)
        return command

    add("up", "start everything on this machine, until Ctrl-C", _up)
    add("demo", "start everything, with synthetic demo data if the database is empty", _demo)
    add("demo-reset", "delete the data of the demo", _demo_reset)
    check = add("doctor", "say what this machine lacks and the line that mends it", _doctor)
    check.add_argument("--fix", action="store_true", help="install missing Debian packages if allowed")
    check.add_argument("--tests", action="store_true", help="also what the test run needs")
    check.add_argument("--quiet", action="store_true", help="print only what is wrong")
    audit = add("audit", "export the audit log, or verify an exported one", _audit)
    audit.add_argument("what", choices=("export", "verify"))
    audit.add_argument("path", metavar="PATH", help="a file; a folder if it is one or ends in /")
    messages = add("messages", "update and compile the translations", _messages)
    messages.add_argument("--check", action="store_true", help="change nothing; fail if something is missing")
    for name, words in PASSED_ON.items():
        commands.add_parser(name, help=words)
    return parser


if __name__ == "__main__":
    sys.exit(main())
