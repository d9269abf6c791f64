"""One round of a mirror: fetch what the log has more than the copy, verify all of it, and only then put it in place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from audit.verifier import memory, tiles
from audit.verifier.form import NotForm, fields_of
from audit.verifier.growth import Growth, Place
from audit.verifier.judgement import Signatures, remembered, root_text, signatures
from audit.verifier.known import Known, Noted
from audit.verifier.note import Checkpoint, Malformed, parse_checkpoint
from audit.verifier.replica import CHECKPOINTS, Replica
from audit.verifier.result import Finding, Report, Unreadable
from audit.verifier.rules import KEY_ACTS, Rules
from audit.verifier.sm2 import sm3
from audit.verifier.source import Absent, Forbidden, Source, Unreachable
from audit.verifier.tiles import ENTRIES, HASH, WIDTH, BadBundle
from audit.verifier.tree import leaf_hash, sha256
from audit.verifier.trust import SM3_NAME
from audit.verifier.wording import finding

CONNECTIONS = 4
LONGEST_NOTE = 1 << 20
MOST_ENTRIES = 1 << 28  # of a log that is mirrored: what is to be fetched is listed in memory
DIGESTS = {"tile": sha256, "tile-sm3": sm3}  # of each tree
MEMORY = ".mirror.json"
_ABOUT_KEYS = tuple(f'"act":"{act}"'.encode() for act in KEY_ACTS)
_BESIDE = {
    "keys": re.compile(r"[1-9][0-9]{0,18}"),
    "stamps": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.(?:checkpoint|tsr)"),
}


@dataclass(slots=True)
class Copied:
    """What a round did. `report` holds origin, size, root, who signed, and what is wrong, if anything."""

    report: Report
    before: int = 0  # size of the copy when it began
    fetched: int = 0  # tiles and bundles
    hashes_only: bool = False
    evidence: list[str] = field(default_factory=list)  # paths


def copy(source: Source, replica: Replica, known: Known) -> Copied:
    """Raises Unreachable, Unreadable, OSError: then the copy is as it was, and another round goes on from here."""
    last = memory.load(replica.folder / MEMORY)
    return _Round(source, replica, replace(known, memory=last)).run()


class _Wrong(Exception):
    """There is something wrong with what the server has. Nothing of it is put in place."""

    def __init__(self, found: Finding, *checkpoints: Checkpoint) -> None:
        super().__init__(found.code)
        self.found, self.checkpoints = found, checkpoints


class _Round:
    def __init__(self, source: Source, replica: Replica, known: Known) -> None:
        self._source, self._replica, self._known = source, replica, known
        self._copied = Copied(Report(kind="folder"))
        self._rules = Rules()
        self._handovers = list[Noted]()
        self._staged = set[str]()  # besides tiles and bundles

    def run(self) -> Copied:
        try:
            self._run()
        except _Wrong as wrong:
            self._copied.report.finding = wrong.found
            self._copied.evidence = [str(path) for path in self._replica.evidence(*wrong.checkpoints)]
            self._replica.discard()
        return self._copied

    def _run(self) -> None:
        parallel = self._checkpoint("tile-sm3")  # first: it must not be ahead
        main = self._checkpoint("tile")
        if main is None:
            raise Unreachable("checkpoint: 404")
        trees = {"tile": main} if parallel is None else {"tile": main, "tile-sm3": parallel}
        report, self._rules.origin = self._copied.report, main.origin
        report.origin, report.size, report.root = main.origin, main.size, root_text(main.root)
        if main.size > MOST_ENTRIES:
            raise Unreadable(
                f"{main.size} 条，多于镜像所能容纳的 · entries, more than the {MOST_ENTRIES} a mirror takes"
            )
        if parallel is not None and parallel.size > main.size:
            raise _Wrong(finding("ahead", main.size, size=parallel.size))
        self._beside(main)
        signed, wrong = self._signed(trees, [])
        if wrong is not None and (signed.fault or not self._handovers):
            raise _Wrong(wrong)
        for tree, after in trees.items():
            self._check_order(tree, after)
        self._fetch_and_check(trees)
        self._accept(trees)

    # -- what the server states --

    def _checkpoint(self, tree: str) -> Checkpoint | None:
        path = CHECKPOINTS[tree]
        try:
            raw = self._source.get(path, LONGEST_NOTE)
        except Absent:
            return None
        try:
            return parse_checkpoint(raw)
        except Malformed as error:
            raise _Wrong(finding("checkpoint", path=path, detail=error)) from None

    def _check_order(self, tree: str, after: Checkpoint) -> None:
        """What two checkpoints say by themselves of a log that went back or forked."""
        before = self._replica.checkpoint(tree)
        if before is None:
            return
        place = str(self._replica.folder / CHECKPOINTS[tree])
        if tree == "tile":
            self._copied.before = before.size
        if before.origin != after.origin:
            raise _Wrong(finding("other_log", path=place, own=after.origin, other=before.origin))
        if after.size < before.size:
            found = finding("rollback", path=place, size=before.size, entries=after.size)
            raise _Wrong(found, before, after)
        if after.size == before.size and after.root != before.root:
            raise _Wrong(finding("fork", path=place, size=before.size), before, after)

    def _beside(self, main: Checkpoint) -> None:
        """Stage what stands beside the tree. Whoever verifies the copy looks into it."""
        for folder, name in _BESIDE.items():
            for path in (f"{folder}/{one}" for one in self._listed(folder) if name.fullmatch(one)):
                raw = self._replica.verified(path) or self._source.get(path, LONGEST_NOTE)
                noted = self._noted(path, raw)
                if noted is not None and noted.checkpoint.size > main.size:
                    continue  # of a later checkpoint: next time
                self._stage(path, raw)
                if noted is not None and folder == "keys":
                    self._handovers.append(noted)
        with suppress(Absent):  # a log need not say whom to trust
            self._stage("policy", self._source.get("policy", LONGEST_NOTE))

    def _listed(self, folder: str) -> list[str]:
        """Names in a folder: the server lists them one a line, or not at all."""
        try:
            return self._source.get(f"{folder}/", LONGEST_NOTE).decode(errors="replace").split()
        except (Absent, Forbidden):
            return []

    def _noted(self, path: str, raw: bytes) -> Noted | None:
        if path.endswith(".tsr"):
            return None
        try:
            return Noted(path, parse_checkpoint(raw))
        except Malformed as error:
            raise _Wrong(finding("checkpoint", path=path, detail=error)) from None

    def _stage(self, path: str, raw: bytes) -> None:
        if self._replica.verified(path) != raw:
            self._replica.stage(path, raw)
            self._staged.add(path)

    # -- tiles and bundles --

    def _fetch_and_check(self, trees: dict[str, Checkpoint]) -> None:
        wanted = {
            tree: [place for place in _places(after.size) if not self._replica.has(_path(tree, place))]
            for tree, after in trees.items()
        }
        bundles = self._bundles(trees["tile"].size)
        paths = {_path(tree, place) for tree, places in wanted.items() for place in places}
        self._replica.keep(self._staged | paths | {_path("tile", place) for place in bundles})
        self._fetch(wanted | {"tile": wanted["tile"] + bundles})
        for tree, after in trees.items():
            growth = self._growth(tree, after)
            found = growth.check(wanted[tree])
            if found is not None:
                both = (growth.before, after) if growth.before and found.code == "fork" else ()
                raise _Wrong(found, *both)
            if tree == "tile":
                self._handovers = [noted for noted in self._handovers if _stands(noted.checkpoint, growth)]
        for place in bundles:
            self._check_bundle(place, trees["tile"].size)

    def _bundles(self, size: int) -> list[Place]:
        """Those that are missing; none where the server does not give entries and the copy never had any."""
        missing = [place for place in _level(ENTRIES, size) if not self._replica.has(_path("tile", place))]
        if not missing:
            return []
        try:
            self._one("tile", missing[0])
        except (Absent, Forbidden) as error:
            if self._source.with_token or self._replica.has("tile/entries"):
                raise Unreadable(
                    f"条目读不到，需要有效的令牌 · entries take a valid token: {error}"
                ) from None
            self._copied.hashes_only = True
            return []
        return missing

    def _fetch(self, wanted: dict[str, list[Place]]) -> None:
        jobs = [(tree, place) for tree, places in wanted.items() for place in places]
        self._copied.fetched = len(jobs)
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            try:
                for _done in pool.map(lambda job: self._one(*job), jobs):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _one(self, tree: str, place: Place) -> None:
        """Stage one tile or bundle. A partial one may be gone where the full one is there."""
        path = _path(tree, place)
        if self._replica.fetched(path) is not None:
            return
        level, index, width = place
        longest = tiles.LONGEST_BUNDLE if level == ENTRIES else tiles.LONGEST_TILE
        try:
            raw = self._source.get(path, longest)
        except Absent:
            if width == WIDTH:
                raise
            whole = _path(tree, (level, index, WIDTH))
            try:
                raw = _narrowed(level, self._source.get(whole, longest), width)
            except BadBundle as error:
                seq = index * WIDTH + len(error.entries)
                raise _Wrong(finding("bundle", seq, path=whole, detail=error)) from None
        self._replica.stage(path, raw)

    def _growth(self, tree: str, after: Checkpoint) -> Growth:
        def below(read: Callable[[str], bytes | None], path: str) -> bytes | None:
            return read(f"{tree}/{path}")

        replica = self._replica
        return Growth(
            tree=tree,
            before=replica.checkpoint(tree),
            noted=str(replica.folder / CHECKPOINTS[tree]),
            after=after,
            own=partial(below, replica.verified),
            new=partial(below, replica.read),
            served=partial(below, self._served),
            digest=DIGESTS[tree],
        )

    def _served(self, path: str) -> bytes | None:
        try:
            return self._replica.fetched(path) or self._source.get(path, tiles.LONGEST_TILE)
        except Absent:
            return None

    def _check_bundle(self, place: Place, size: int) -> None:
        """Every entry against its hash in the tree, which was checked before."""
        _level, index, width = place
        path = _path("tile", place)
        hashes = self._replica.read(_path("tile", (0, index, tiles.width_at(0, index, size)))) or b""
        try:
            entries = tiles.entries_of(self._replica.fetched(path) or b"", width)
        except BadBundle as error:
            raise _Wrong(
                finding("bundle", index * WIDTH + len(error.entries), path=path, detail=error)
            ) from None
        for seq, entry in enumerate(entries, index * WIDTH):
            at = seq % WIDTH * HASH
            if leaf_hash(entry) != hashes[at : at + HASH]:
                raise _Wrong(finding("bundle", seq, path=path, detail="leaf hash"))
            if any(act in entry for act in _ABOUT_KEYS):
                self._note_key(seq, entry)

    def _note_key(self, seq: int, entry: bytes) -> None:
        try:
            fields = fields_of(entry)
        except NotForm as wrong:
            raise _Wrong(finding(wrong.code, seq, detail=wrong)) from None
        if fields["act"] in KEY_ACTS:
            found = self._rules.alone(seq, fields)
            if found is not None:
                raise _Wrong(found)

    # -- who signed --

    def _signed(
        self, trees: dict[str, Checkpoint], handovers: Iterable[Noted]
    ) -> tuple[Signatures, Finding | None]:
        report = self._copied.report
        report.warnings = ()
        signed = signatures(report, trees["tile"], self._known, self._rules.keys, handovers)
        wrong, parallel = signed.fault or signed.lack, trees.get("tile-sm3")
        if parallel is not None and parallel.origin != trees["tile"].origin + SM3_NAME:
            path = CHECKPOINTS["tile-sm3"]
            wrong = wrong or finding("other_log", path=path, own=trees["tile"].origin, other=parallel.origin)
        elif wrong is None and parallel is not None and self._known.trusted:
            wrong = signed.trust.of_the_sm3_tree(parallel.size).judge(parallel, CHECKPOINTS["tile-sm3"])[1]
        return signed, wrong

    def _accept(self, trees: dict[str, Checkpoint]) -> None:
        main = trees["tile"]
        signed, wrong = self._signed(trees, [*self._handovers, Noted(CHECKPOINTS["tile"], main)])
        if wrong is not None:
            raise _Wrong(wrong)
        for tree, after in trees.items():
            self._replica.stage(CHECKPOINTS[tree], after.raw)
        # Before the tiles are in place: an entry about a key is read once.
        memory.save(self._replica.folder / MEMORY, remembered(main, signed.trust, self._known))
        self._replica.accept()


def _stands(earlier: Checkpoint, growth: Growth) -> bool:
    """It is an earlier state of the log."""
    return earlier.origin == growth.after.origin and growth.root_at(earlier.size) == earlier.root


def _places(size: int) -> Iterator[Place]:
    """Every tile of hashes of a tree of that size."""
    level = 0
    while size >> 8 * level:
        yield from _level(level, size)
        level += 1


def _level(level: int, size: int) -> Iterator[Place]:
    for index in range(-(-(size >> 8 * max(level, 0)) // WIDTH)):
        yield level, index, tiles.width_at(level, index, size)


def _path(tree: str, place: Place) -> str:
    return f"{tree}/{tiles.path_of(*place)}"


def _narrowed(level: int, full: bytes, width: int) -> bytes:
    """What the partial tile held. Raises BadBundle."""
    if level != ENTRIES:
        return full[: width * HASH]
    entries = tiles.entries_of(full, WIDTH)[:width]
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
