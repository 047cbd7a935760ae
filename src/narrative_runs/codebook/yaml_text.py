"""A codebook as a YAML file has it: each value the text that was typed, each problem with its line."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from narrative_runs.codebook.variables import TYPES, Codebook, CodebookProblems, reserved_problems
from narrative_runs.errors import ParamsError

# Anchors and aliases may make a file of a few lines as large as a memory.
LARGEST_FILE = 100_000
_NULLS = ("", "~", "null", "Null", "NULL")
_MERGE = "tag:yaml.org,2002:merge"
_TYPE_NAMES = ", ".join(TYPES)


def as_typed(text: str, *keys: str) -> Any:
    """The value at these keys of a YAML document, with every scalar as the text typed: `no`, `1.0`.

    A setting without a value, or with a plain `null` or `~`, is None; an item of a list is always a text. None where
    the document has no such keys.

    Raises:
        ParamsError: the text is no YAML, or repeats its own parts so often that it would fill the memory.
    """
    node = _node_at(_composed(text), keys)
    if node is None:
        return None
    value = _typed(node, {}, is_setting=True)
    if size_of(value) > LARGEST_FILE:
        raise ParamsError(
            "The codebook repeats its own parts so often, by anchors (&) and aliases (*), that it would fill the "
            "memory. Write them out."
        )
    return value


def line_of(text: str, *keys: str) -> int | None:
    """The line, from 1, of the key at the end of these; items of a list are named by their index. None where the text
    has no such keys, or is no YAML."""
    try:
        return _line(_composed(text), keys)
    except ParamsError:
        return None


def codebook_of(values: Any, origin: str, text: str, reserved: Collection[str], within: Sequence[str]) -> Codebook:
    """The codebook that `values` describe, with all its variables as they were typed.

    origin: the file, as messages name it; text: what stands in it, for the lines of problems; reserved: the columns
    that no variable may take; within: the keys to the codebook in the file, none for a file of its own.

    Raises:
        ParamsError: names each key that is unknown, missing, of a wrong type or out of range, with its line.
    """
    try:
        root: yaml.Node | None = _composed(text)
    except ParamsError:
        root = None
    problems = _given_twice(root, within)
    codebook: Codebook | None = None
    if isinstance(values, dict):
        try:
            codebook = Codebook.model_validate(values)
        except ValidationError as error:
            problems += [explained for problem in error.errors() for explained in _explained(problem)]
        else:
            problems += [(("variables", *path), problem) for path, problem in reserved_problems(codebook, reserved)]
    else:
        problems.append(((), "give a mapping with the key `variables`"))
    if problems or codebook is None:
        lines = [_shown((*within, *path), problem, root) for path, problem in problems]
        raise ParamsError(f"{origin} cannot be used:\n" + "\n".join(f"  {line}" for line in lines))
    return codebook


def _composed(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        where = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise ParamsError(f"The text is not valid YAML{where}: {error.problem or error.context}.") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ParamsError(f"The text is not valid YAML: {error}.") from None


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """(key, its node, the node of its value), each key once: what stands there itself before what is merged in."""
    seen: set[str] = set()
    waiting: list[yaml.Node] = [node]
    looked_at: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in looked_at:
            continue
        looked_at.add(id(each))
        if isinstance(each, yaml.SequenceNode):
            waiting = [*each.value, *waiting]
        if not isinstance(each, yaml.MappingNode):
            continue
        merged = []
        last = {key.value: (key, value) for key, value in each.value if isinstance(key, yaml.ScalarNode)}
        for name, (key, value) in last.items():
            if key.tag == _MERGE:
                merged.append(value)
            elif name not in seen:
                seen.add(name)
                yield name, key, value
        waiting = [*merged, *waiting]


def _typed(node: yaml.Node, known: dict[tuple[int, bool], Any], is_setting: bool) -> Any:
    """The value of a node; known: those that were made already, as aliases name a node again."""
    if isinstance(node, yaml.ScalarNode):
        return None if is_setting and node.style is None and node.value in _NULLS else node.value
    key = (id(node), is_setting)
    if key in known:
        return known[key]
    if isinstance(node, yaml.SequenceNode):
        items: list[Any] = []
        known[key] = items
        items += [_typed(part, known, is_setting=False) for part in node.value]
        return items
    mapping: dict[str, Any] = {}
    known[key] = mapping
    if isinstance(node, yaml.MappingNode):
        mapping |= {name: _typed(value, known, is_setting=True) for name, _, value in _pairs(node)}
    return mapping


def size_of(value: Any, seen: dict[int, int] | None = None) -> int:
    """How many values there are in this one, each repetition counted; the same part is looked at once.

    seen: what is known already, by the identity of the part; a part that holds itself has no end.
    """
    seen = {} if seen is None else seen
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in seen:
        seen[id(value)] = LARGEST_FILE + 1
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        seen[id(value)] = 1 + sum(size_of(part, seen) for part in parts)
    return seen[id(value)]


def _node_at(node: yaml.Node | None, keys: Sequence[str]) -> yaml.Node | None:
    for key in keys:
        step = _step(node, key)
        if step is None:
            return None
        node = step[1]
    return node


def _step(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """The node of a key, and that of its value; both are the item's in a list."""
    if isinstance(node, yaml.MappingNode):
        return next(((at, value) for name, at, value in _pairs(node) if name == key), None)
    if isinstance(node, yaml.SequenceNode) and key.isdecimal() and int(key) < len(node.value):
        item = node.value[int(key)]
        return item, item
    return None


def _line(node: yaml.Node | None, keys: Sequence[str]) -> int | None:
    line: int | None = None
    for key in keys:
        step = _step(node, key)
        if step is None:
            return None
        line, node = step[0].start_mark.line + 1, step[1]
    return line


def _shown(path: Sequence[str], problem: str, root: yaml.Node | None) -> str:
    """The problem with its key and line; that of the nearest key above it where the text does not have the key."""
    above = (_line(root, path[:length]) for length in range(len(path), 0, -1))
    line = next((each for each in above if each is not None), None)
    return f"{'.'.join(path) or 'codebook'}{'' if line is None else f' (line {line})'}: {problem}."


def _given_twice(root: yaml.Node | None, within: Sequence[str]) -> list[tuple[tuple[str, ...], str]]:
    """The keys that a mapping of the codebook has twice, which YAML takes for the last of them alone."""
    problems: list[tuple[tuple[str, ...], str]] = []
    looked_at: set[int] = set()

    def look(node: yaml.Node | None, path: tuple[str, ...]) -> None:
        if node is None or id(node) in looked_at:
            return
        looked_at.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                look(item, (*path, str(index)))
        if not isinstance(node, yaml.MappingNode):
            return
        first: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                problems.append(((*path, key.value), f"it appears twice, in lines {first[key.value]} and {line}"))
            first.setdefault(key.value, line)
            look(value, (*path, key.value))

    look(_node_at(root, within), ())
    return problems


def _explained(problem: Any) -> list[tuple[tuple[str, ...], str]]:
    """The keys within the codebook and what is wrong there, in words."""
    loc = tuple(str(part) for part in problem["loc"])
    # The third part is the variable's type, by which its model was chosen.
    kind = TYPES.get(loc[2]) if len(loc) > 2 and loc[0] == "variables" else None
    path = (*loc[:2], *loc[3:]) if kind is not None else loc
    match problem["type"]:
        case "union_tag_invalid" | "union_tag_not_found":
            return [((*path, "type"), _about_the_type(problem))]
        case "extra_forbidden":
            keys = list(kind.model_fields) if kind is not None else ["variables"]
            of = f"A variable of type {loc[2]}" if kind is not None else "A codebook"
            return [(path, f"unknown key. {of} knows: {', '.join(keys)}")]
        case "missing":
            return [(path, "missing")]
        case "model_attributes_type" | "model_type" | "dict_type":
            return [
                (path, "give a mapping, such as {type: binary}" if len(path) > 1 else "give a mapping of variables")
            ]
        case "value_error":
            error = problem["ctx"]["error"]
            if isinstance(error, CodebookProblems):
                return [((*path, *inner), message) for inner, message in error.problems]
            return [(path, str(error))]
        case _:
            return [(path, f"{problem['msg']}, not {problem['input']!r}")]


def _about_the_type(problem: Any) -> str:
    if problem["type"] == "union_tag_not_found":
        return f"missing. The types are: {_TYPE_NAMES}"
    return f"{problem['ctx']['tag']!r} is not a type. The types are: {_TYPE_NAMES}"
