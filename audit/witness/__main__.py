"""Command line of the witness. It runs until SIGTERM or Ctrl-C; exit 0 then, 2 if it cannot start."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from contextlib import closing
from pathlib import Path

from audit.verifier.note import COSIGNATURE, Key, parse_key
from audit.witness.key import WitnessKey
from audit.witness.memory import CannotStart, Memory, has_key, read_key
from audit.witness.server import Server
from audit.witness.witness import Witness

_ABOUT = """\
日志见证人：只有当新的检查点延续了此前见证过的，才加签（C2SP tlog-witness）。
A witness: it cosigns a log's checkpoint only if this continues the one it cosigned before (C2SP tlog-witness).
"""
_RULES = """\
密钥更换 · when a log changes its key:
  见证人只认 --log 给出的公钥。日志不能自己引入新公钥：请向其运营方核实后，把新旧公钥都写上，重新启动。
  A witness believes only the keys given by --log. A log cannot introduce a new key by itself: confirm it with the log's
  operator, name the new key beside the old one, and start again.

目录 · the folder:
  其中是本见证人的私钥和最近见证的检查点。不要复制给别人，不要用旧备份恢复：忘记过去的见证人会为被改写的日志背书。
  It holds the private key and the newest checkpoints. Give it to nobody and never restore an older backup: a witness
  that has forgotten vouches for a rewritten log.
"""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        if options.show_key:
            print(_key(options.folder, options.name).vkey)
        else:
            _run(options)
    except (CannotStart, ValueError, OSError) as error:
        print(f"无法启动 · cannot start: {error}", file=sys.stderr)
        return 2
    return 0


def _run(options: argparse.Namespace) -> None:
    """Until it is told to stop. Raises CannotStart, ValueError, OSError."""
    logs = [key for value in options.log for key in _logs(value)]
    host, port = options.listen
    with (
        closing(Memory(options.folder, options.name)) as memory,
        Server(host, port, Witness(memory, logs)) as server,
    ):
        _introduce(memory, server, {key.name for key in logs})
        _serve(server)


def _key(folder: Path, name: str) -> WitnessKey:
    """Made if there is none; a witness that is running is not disturbed. Raises CannotStart, OSError."""
    if has_key(folder):
        return read_key(folder, name)
    memory = Memory(folder, name)
    memory.close()
    return memory.key


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m audit.witness",
        description=_ABOUT,
        epilog=_RULES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder",
        type=Path,
        required=True,
        help="见证人的目录，首次启动时建立 · the witness's folder, made at first start",
    )
    parser.add_argument(
        "--name",
        default="",
        help="见证人名称，首次启动时必需 · its name, needed at first start: auditor.example/w1",
    )
    parser.add_argument(
        "--log", action="append", default=[], metavar="VKEY",
        help="日志的公钥，或每行一个公钥的文件；可重复 · a log's key, or a file of such lines; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--listen",
        type=_address,
        default=("127.0.0.1", 7380),
        metavar="HOST:PORT",
        help="默认 · default 127.0.0.1:7380",
    )
    parser.add_argument(
        "--show-key",
        action="store_true",
        help="只显示公钥（没有则生成） · print the public key (made if there is none) and end",
    )
    return parser.parse_args(arguments)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        raise argparse.ArgumentTypeError(f"应为 · expected HOST:PORT, not {text!r}")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  # `:7380` asks for every address


def _logs(value: str) -> list[Key]:
    """Keys of logs: `value` itself, or the lines of the file of that name; `#` begins a comment. Raises ValueError."""
    path = Path(value)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [value]
    keys = [parse_key(line) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    for key in keys:
        if key.kind == COSIGNATURE:
            raise ValueError(
                f"这是见证人的公钥，不是日志的 · this is a witness's key, not a log's: {key.vkey}"
            )
    return keys


def _introduce(memory: Memory, server: Server, origins: set[str]) -> None:
    """What the operator of the log needs, and where this witness stands with each log."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    key = memory.key
    print(f"见证人公钥 · vkey\n{key.vkey}")
    print(
        "交给日志运营方，写入其 policy（网址须是对方能访问的）· "
        "for the log operator's policy (with an address they can reach)"
    )
    print(f"witness {key.name} {key.vkey} {server.url}", flush=True)
    logger = logging.getLogger("audit.witness")
    if not origins:
        logger.warning("没有 --log：拒绝一切请求 · no --log was given: every request will be refused")
    for origin in sorted(origins | set(memory.origins())):
        latest = memory.latest(origin)
        if origin not in origins:
            logger.warning("记得 %s，但未用 --log 给出，不再见证 · known, but not named by --log", origin)
        elif latest is None:
            logger.info("新的日志，从头开始见证 · a new log, nothing cosigned yet: %s", origin)
        else:
            logger.info("继续见证 · witnessing on: %s, %d", origin, latest.size)


def _serve(server: Server) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.start()
    stopping.wait()
    server.stop()
    thread.join()
    logging.getLogger("audit.witness").info("已停止 · stopped")


if __name__ == "__main__":
    sys.exit(main())
