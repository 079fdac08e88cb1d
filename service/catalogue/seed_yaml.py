"""One seed file: YAML text to a noun of the catalogue, with the line of everything in it.

PyYAML's own construction would turn 2025-09-05 into a date and `NO` into false. So the node tree is
read instead: every scalar stays the text its curator wrote, and becomes a number or a boolean only
where the field is one.
"""

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import msgspec
import yaml

from service.catalogue import validation
from service.catalogue.event import Event, Organization, Program, Series, Source

Noun = Event | Program | Series | Organization | Source
FOLDERS: dict[str, type[Noun]] = {
    "sources": Source,
    "organizations": Organization,
    "series": Series,
    "programs": Program,
    "events": Event,
}

# libyaml is some ten times faster; the pure loader reads the same language.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "timestamp"))
_NULL_TAG = "tag:yaml.org,2002:null"
_NAMED_FIELD = re.compile(r"field `([^`]+)`")
_MOST_FAULTS = 50
_DEEPEST = 20


class SeedFault(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A fault in a seed, with the file and the line."""

    path: str
    line: int
    detail: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.detail}"


class SeedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that decoded. `lines` maps JSON pointers to line numbers."""

    path: str
    folder: str
    noun: Noun
    lines: Mapping[str, int]

    def fault(self, pointer: str, detail: str) -> SeedFault:
        return SeedFault(path=self.path, line=line_at(self.lines, pointer), detail=detail)


class Unreadable(Exception):
    """The file is not a seed; `faults` are all that was found."""

    def __init__(self, *faults: SeedFault) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def read(path: str, text: str) -> SeedFile:
    """Decode the text of `events/<id>.yaml` and its like; raises Unreadable with every fault of its shape."""
    folder, _, name = path.rpartition("/")
    if folder not in FOLDERS or not name.endswith(".yaml"):
        known = ", ".join(FOLDERS)
        raise Unreadable(
            SeedFault(path=path, line=1, detail=f"a seed is <folder>/<id>.yaml, folder one of {known}")
        )
    data, lines = _Tree(path).read(_compose(path, text))
    noun = _convert(path, data, lines=lines, into=FOLDERS[folder])
    seed = SeedFile(path=path, folder=folder, noun=noun, lines=lines)
    stem = name.removesuffix(".yaml")
    if noun.id != stem:
        raise Unreadable(seed.fault("/id", f"the id is {noun.id!r} but the file is named {stem!r}"))
    return seed


def line_at(lines: Mapping[str, int], pointer: str) -> int:
    """The line of the pointer, or of the nearest thing around it that the file does have."""
    while pointer not in lines and pointer:
        pointer = pointer.rpartition("/")[0]
    return lines.get(pointer, 1)


def _compose(path: str, text: str) -> yaml.Node:
    try:
        text.encode()
        _walk(path, text)
        node = yaml.compose(text, Loader=_LOADER)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise Unreadable(SeedFault(path=path, line=line, detail="this is not UTF-8 text")) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        detail = f"not YAML: {error.problem or error.context}"
        raise Unreadable(SeedFault(path=path, line=mark.line + 1 if mark else 1, detail=detail)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(SeedFault(path=path, line=line, detail=f"not YAML: {error.reason}")) from error
    if not isinstance(node, yaml.MappingNode):
        raise Unreadable(SeedFault(path=path, line=1, detail="a seed is a mapping of fields to values"))
    return node


def _walk(path: str, text: str) -> None:
    """Refuse what hurts to compose: libyaml crashes on deep nesting, aliases can grow without end."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Unreadable(SeedFault(path=path, line=line, detail="nested too deep"))
        if isinstance(event, yaml.AliasEvent):
            raise Unreadable(SeedFault(path=path, line=line, detail="an alias: write the value itself"))


class _Tree:
    """Walks a YAML tree into plain data, noting the line of each pointer and every fault on the way."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self.faults: list[SeedFault] = []

    def read(self, root: yaml.Node) -> tuple[Any, dict[str, int]]:
        self.lines[""] = root.start_mark.line + 1
        data = self._value(root, "")
        if self.faults:
            raise Unreadable(*self.faults)
        return data, self.lines

    def _value(self, node: yaml.Node, pointer: str) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, pointer)
        return self._list(node, pointer)

    def _scalar(self, node: yaml.ScalarNode) -> str | None:
        if node.tag == _NULL_TAG:
            return None
        if node.tag not in _TEXT_TAGS:
            self._fault(node, f"the tag {node.tag} has no place in a seed")
        return str(node.value)

    def _mapping(self, node: yaml.MappingNode, pointer: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name in values:
                self._fault(key, f"the field {name!r} is given twice")
            here = f"{pointer}/{name}"
            self.lines[here] = key.start_mark.line + 1
            values[name] = self._value(value, here)
        return values

    def _list(self, node: yaml.Node, pointer: str) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            here = f"{pointer}/{index}"
            self.lines[here] = item.start_mark.line + 1
            values.append(self._value(item, here))
        return values

    def _fault(self, node: yaml.Node, detail: str) -> None:
        self.faults.append(SeedFault(path=self.path, line=node.start_mark.line + 1, detail=detail))


def _convert(path: str, data: Any, *, lines: Mapping[str, int], into: type[Noun]) -> Noun:
    """msgspec names one fault a time: note it, cut the offending value out, look again."""
    faults: list[SeedFault] = []
    pruned = _Pruned(data)
    while len(faults) < _MOST_FAULTS:
        try:
            noun = msgspec.convert(data, into, strict=False)
        except msgspec.ValidationError as error:
            detail, steps, lacking = _located(error)
            pointer = pruned.pointer(steps)
            at = f"{pointer}/{lacking}" if lacking else pointer
            if at not in pruned.cut:
                faults.append(SeedFault(path=path, line=line_at(lines, at), detail=detail))
            if not pruned.remove(steps):
                break
        else:
            if not faults:
                return noun
            break
    raise Unreadable(*faults)


def _located(error: msgspec.ValidationError) -> tuple[str, list[str], str | None]:
    """The sentence, the steps to the value at fault, and the field it lacks if that is the fault."""
    fault = validation.fault_of(error)
    steps = [*takewhile(lambda step: step != "...", (fault.pointer or "").split("/")[1:])]
    field = _NAMED_FIELD.search(fault.detail)
    if field and "unknown field" in fault.detail:
        return fault.detail, [*steps, field[1]], None
    if field and "missing required field" in fault.detail:
        return fault.detail, steps, field[1]
    return f"{fault.detail} in {'.'.join(steps)}" if steps else fault.detail, steps, None


class _Pruned:
    """Data out of which faulty values are cut, and which still knows where each item of a list once stood."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.cut: set[str] = set()
        self.places: dict[int, list[int]] = {}

    def pointer(self, steps: list[str]) -> str:
        here, pointer = self.data, ""
        for step in steps:
            if isinstance(here, list):
                pointer += f"/{self._places(here)[int(step)]}"
                here = here[int(step)]
            else:
                pointer += f"/{step}"
                here = here.get(step) if isinstance(here, dict) else None
        return pointer

    def remove(self, steps: list[str]) -> bool:
        """False where there is nothing to cut out: the whole, or a name too odd to be told apart."""
        holder = self.data
        for step in steps[:-1]:
            holder = holder[int(step)] if isinstance(holder, list) else holder.get(step)
        if not steps or (isinstance(holder, dict) and steps[-1] not in holder):
            return False
        self.cut.add(self.pointer(steps))
        if isinstance(holder, list):
            del self._places(holder)[int(steps[-1])]
            del holder[int(steps[-1])]
        else:
            del holder[steps[-1]]
        return True

    def _places(self, items: list[Any]) -> list[int]:
        return self.places.setdefault(id(items), list(range(len(items))))
