"""The mutants of C sources: each is one small change, as a mistake would have made it.

Five kinds: `relational` (a comparison or a connective turned round), `bound` (`<` for `<=` and the
like), `constant` (a number beside the right one; a large one doubled or halved), `code` (another
return code, or the other truth) and `call` (a statement that only calls something is left out).
Comments, directives, texts and what ASSERT holds are let alone, and so are the functions x_check() of
core and gossip that return nothing, as they only assert: what is loosened there cannot be seen in a
program that is right.

A mutant is known by its file, its function, and its lines before and after, so that a file of those
that are judged equivalent outlives edits elsewhere. tests/mutate.py draws, builds and runs them."""

import collections
import dataclasses
import random
import re

FOLDERS = ("core", "gossip", "net", "cmd")
KINDS = ("relational", "bound", "constant", "code", "call")
LEX = re.compile(r'(?P<noise>/\*.*?\*/|//[^\n]*|^[ \t]*#(?:\\\n|[^\n])*)|'
                 r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|'
                 r"[A-Za-z_]\w*|\.?[0-9](?:[eEpP][+-]|[\w.])*|->|\+\+|--|&&|\|\||[<>]{2}=|"
                 r"[-+*/%&|^]=|[=!<>]=|<<|>>|\.\.\.|\S", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*")
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)([uUlL]*)")
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "else", "do", "case", "_Alignof"}
# Their arguments are no code that could be wrong.
LET_ALONE = {"ASSERT", "_Static_assert", "static_assert", "__attribute__"}
TURNED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "&&": "||", "||": "&&"}
SHIFTED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
TRUTHS = {"true": "false", "false": "true"}
OPENS, CLOSES = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}
# Their first argument is how many.
ALLOCATORS = {"mem_new", "calloc"}
# A number from here on is a size or a time, of which one more or less makes no program wrong.
LARGE = 100


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`start` and `end` are where in the file's text `new` goes. Of several in a function with the same
    lines `nth` tells which, from 1."""
    path: str
    function: str  # "-" outside of one
    kind: str
    line: int
    start: int
    end: int
    new: str
    before: str
    after: str
    nth: int = 1

    def key(self):
        return self.path, self.function, self.before, self.after, self.nth

    def applied(self, text):
        return text[:self.start] + self.new + text[self.end:]

    def __str__(self):
        return f"{self.path}:{self.line}: {self.kind}\n    - {self.before}\n    + {self.after}"


class Source:
    """A file's tokens, and for each the function that it is in and the bracket that closes it."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        found = [match for match in LEX.finditer(text) if not match["noise"]]
        self.tokens = [match.group() for match in found]
        self.spans = [match.span() for match in found]
        self.closed = self.pair()
        self.functions, self.heads = self.find_functions()
        self.alone = self.find_let_alone()

    def pair(self):
        """For each bracket the index of the other."""
        closed, stack = {}, []
        for i, token in enumerate(self.tokens):
            if token in OPENS:
                stack.append(i)
            elif token in CLOSES and stack:
                closed[i] = stack.pop()
                closed[closed[i]] = i
        return closed

    def find_functions(self):
        """Each token's function, and each function's tokens between its type and its name."""
        of, heads, i = ["-"] * len(self.tokens), {}, 0
        while i < len(self.tokens):
            end = self.closed.get(i, i)
            if self.tokens[i] == "{":
                if i > 0 and self.tokens[i - 1] == ")":
                    name = self.closed[i - 1] - 1
                    start = name
                    while start > 0 and self.tokens[start - 1] not in (";", "}"):
                        start -= 1
                    heads[self.tokens[name]] = self.tokens[start:name]
                    of[i:end + 1] = [self.tokens[name]] * (end + 1 - i)
                i = end
            i += 1
        return of, heads

    def find_let_alone(self):
        alone = set()
        for i, token in enumerate(self.tokens[:-1]):
            if token in LET_ALONE and self.tokens[i + 1] == "(" and i + 1 in self.closed:
                alone.update(range(i, self.closed[i + 1] + 1))
        if self.path.startswith(("core/", "gossip/")):
            alone.update(i for i, name in enumerate(self.functions)
                         if name.endswith("_check") and "void" in self.heads[name])
        return alone

    def at(self, i):
        return self.tokens[i] if 0 <= i < len(self.tokens) else ""

    def mutant(self, kind, first, last, new):
        """Tokens `first` to `last` replaced by `new`."""
        start, end = self.spans[first][0], self.spans[last][1]
        begin = self.text.rfind("\n", 0, start) + 1
        until = (self.text + "\n").find("\n", end)
        before = " ".join(self.text[begin:until].split())
        after = " ".join((self.text[begin:start] + new + self.text[end:until]).split())
        return Mutant(self.path, self.functions[first], kind, self.text.count("\n", 0, start) + 1,
                      start, end, new, before, after)


def numbers(token):
    """What a number is mistaken for."""
    digits, suffix = NUMBER.fullmatch(token).groups()
    value = int(digits, 0)
    if value >= LARGE:
        others = [value * 2, value // 2] if value.bit_length() < 31 else [value - 1]
    else:
        others = [value + 1] + ([value - 1] if value > 1 else [])
    style = "0x{:x}" if digits[:2] in ("0x", "0X") else "{}"
    return [style.format(other) + suffix for other in others]


def until(source, at, marks):
    """The next of some tokens, outside of brackets."""
    while at < len(source.tokens) and source.tokens[at] not in marks:
        at = (source.closed.get(at, at) if source.tokens[at] in OPENS else at) + 1
    return at


def is_extreme(source, i):
    """Whether it picks the smaller or larger of two numbers, `a < b ? a : b`, which is the same number
    where they are equal."""
    question = until(source, i + 1, ("?", "&&", "||", ",", ")", ";"))
    if source.at(question) != "?":
        return False
    colon = until(source, question + 1, (":", ")", ";"))
    end = until(source, colon + 1, (",", ")", ";"))
    right, first, second = (source.tokens[begin + 1:after]
                            for begin, after in ((i, question), (question, colon), (colon, end)))
    left = second if right == first else first
    return right in (first, second) and source.tokens[i - len(left):i] == left


def is_count(source, i):
    """Whether it says of how many there is to be memory, of which more makes no program wrong."""
    return source.at(i - 1) == "(" and source.at(i - 2) in ALLOCATORS


def is_size(source, i):
    """Whether the number says how large an array is, which a byte more makes no worse."""
    if source.at(i - 1) != "[" or source.at(i + 1) != "]":
        return False
    is_declared = NAME.fullmatch(source.at(i - 3)) and source.at(i - 3) not in KEYWORDS
    return source.functions[i] == "-" or bool(is_declared) or source.at(i - 3) == "*"


def of_token(source, i):
    token, is_inside = source.tokens[i], source.functions[i] != "-"
    if is_inside and token in TURNED:
        yield source.mutant("relational", i, i, TURNED[token])
    if is_inside and token in SHIFTED and not is_extreme(source, i):
        yield source.mutant("bound", i, i, SHIFTED[token])
    if NUMBER.fullmatch(token) and not is_size(source, i) and not is_count(source, i):
        for other in numbers(token):
            yield source.mutant("constant", i, i, other)
    if is_inside and token.startswith("RC_") and source.at(i - 1) not in ("case", "==", "!="):
        if source.at(i + 1) != "(":
            yield source.mutant("code", i, i, "RC_FULL" if token == "RC_OK" else "RC_OK")


def of_return(source, i):
    """Of `return` in a function that answers yes or no."""
    if source.tokens[i] != "return" or "bool" not in source.heads.get(source.functions[i], ()):
        return
    last = i + 1
    while source.at(last) not in (";", ""):
        last = source.closed.get(last, last) + 1
    whole = source.text[source.spans[i + 1][0]:source.spans[last - 1][1]]
    yield source.mutant("code", i + 1, last - 1, TRUTHS.get(whole, f"!({whole})"))


def is_begin(source, i):
    """Whether a statement begins here."""
    before = source.at(i - 1)
    is_label = before == ":" and (source.at(i - 3) == "case" or source.at(i - 2) == "default")
    return before in (";", "{", "}") or is_label


def of_call(source, i):
    """Of a statement that is a call and nothing else."""
    if source.functions[i] == "-" or not is_begin(source, i):
        return
    at = i + 3 if source.tokens[i:i + 3] == ["(", "void", ")"] else i
    if not NAME.fullmatch(source.at(at)) or source.at(at) in KEYWORDS:
        return
    while source.at(at + 1) in ("->", "."):
        at += 2
    end = source.closed.get(at + 1)
    if source.at(at + 1) == "(" and source.at(end + 1) == ";":
        yield source.mutant("call", i, end + 1, ";")


def find(path, text):
    """All mutants of a file, in the order of its text."""
    source = Source(path, text)
    seen = collections.Counter()
    found = []
    for i in range(len(source.tokens)):
        if i in source.alone:
            continue
        for rule in (of_token, of_return, of_call):
            for mutant in rule(source, i):
                seen[mutant.key()] += 1
                found.append(dataclasses.replace(mutant, nth=seen[mutant.key()]))
    return found


def find_all(top, places=()):
    """The mutants of the tree, or of places in it: (file or folder, line or None)."""
    def is_wanted(path, line):
        return not places or any((path == place or path.startswith(f"{place}/")) and
                                 only in (None, line) for place, only in places)

    found = []
    for folder in FOLDERS:
        for file in sorted((top / folder).rglob("*.c")):
            path = str(file.relative_to(top))
            found += [each for each in find(path, file.read_text(encoding="utf-8"))
                      if is_wanted(path, each.line)]
    if not found:
        raise Fault("there is nothing to change")
    return found


def draw(found, seed):
    """The mutants in the order in which a seed draws them: the top folders take turns, so that each has
    a score of its own, and then each kind is as likely as another, however many there are of it."""
    rng = random.Random(seed)
    folders = collections.defaultdict(lambda: collections.defaultdict(list))
    for mutant in found:
        folders[mutant.path.partition("/")[0]][mutant.kind].append(mutant)
    for kinds in folders.values():
        for several in kinds.values():
            rng.shuffle(several)
    while folders:
        for folder in sorted(folders):
            kinds = folders[folder]
            kind = rng.choice(sorted(kinds))
            yield kinds[kind].pop()
            if not kinds[kind]:
                del kinds[kind]
            if not kinds:
                del folders[folder]


class Fault(Exception):
    """What stops the whole run: a sentence for whoever started it."""


class Malformed(Fault):
    """An entry of the file of equivalent mutants that cannot be read."""


def read_equivalent(name, text):
    """{key: (line, why)} of such entries, with an empty line between two and `#` before a comment:

        gossip/membership/pull.c retry_us
        - if (us < PULL_RETRY_MIN_US) {
        + if (us <= PULL_RETRY_MIN_US) {
        = Both ways the same number comes out.

    The lines are the file's, with single blanks. A number behind the function says which of several
    that are the same."""
    entries = {}
    block = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if line.strip():
            block.append((number, line))
        elif block:
            key, entry = read_entry(name, block)
            if key in entries:
                raise Malformed(f"{name}:{block[0][0]}: is there twice")
            entries[key] = entry
            block = []
    return entries


def read_entry(name, block):
    where = f"{name}:{block[0][0]}"
    head = block[0][1].split()
    marks = [line[:2] for _, line in block[1:]]
    if len(head) not in (2, 3) or (len(head) == 3 and not head[2].isdigit()):
        raise Malformed(f"{where}: expected a file, a function and perhaps a number")
    if marks[:3] != ["- ", "+ ", "= "] or set(marks[3:]) - {"= "}:
        raise Malformed(f"{where}: expected a line with -, one with + and some with =, which say why")
    before, after = (line[2:].strip() for _, line in block[1:3])
    nth = int(head[2]) if len(head) == 3 else 1
    why = " ".join(line[2:].strip() for _, line in block[3:])
    return (head[0], head[1], before, after, nth), (block[0][0], why)


def check_equivalent(name, entries, found):
    """Complaints about entries that are no mutant of the tree any more."""
    keys = {mutant.key() for mutant in found}
    return [f"{name}:{line}: matches nothing any more: {key[0]} {key[1]}: {key[3]}"
            for key, (line, _) in entries.items() if key not in keys]
