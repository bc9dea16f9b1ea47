"""Writes random training programs, and knows by rules what each line does to whom."""

from dataclasses import dataclass, field

from hypothesis import strategies as st
from torch import Tensor, nn

from tests.module.programs import STEPS, Program, Step, Ways

ZERO = Step("v = a * 0 + b")
SIZES = ("float32", "bfloat16")
_NOT_BFLOAT16 = ("numpy()", "to(torch.float32)")

LAYERS = {
    "linear": "nn.Linear(4, 4)",
    "norm": "nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))",
    "layer norm": "nn.LayerNorm(4)",
    "nested": 'nn.ModuleDict({"in": nn.ModuleList([nn.Linear(4, 4), nn.Tanh()])})',
    "residual": "Residual(nn.Linear(4, 4, bias=False))",
    "norm without parameters": "nn.Sequential(nn.BatchNorm1d(4, affine=False))",
}
BARE = ("bare", "gate", "listed parameter")
KINDS = (*LAYERS, *BARE, "shared", "tied", "listed layer", "twin", "unused")
OPTIMIZERS = {
    "SGD": "torch.optim.SGD(groups, lr={lr})",
    "SGD momentum": "torch.optim.SGD(groups, lr={lr}, momentum=0.9)",
    "SGD decay": "torch.optim.SGD(groups, lr={lr}, weight_decay=0.1)",
    "Adam": "torch.optim.Adam(groups, lr={lr})",
    "Adam decay": "torch.optim.Adam(groups, lr={lr}, weight_decay=0.1)",
    "AdamW foreach": "torch.optim.AdamW(groups, lr={lr}, foreach=True)",
    "Adam fused": "torch.optim.Adam(groups, lr={lr}, fused=True)",
    "RMSprop": "torch.optim.RMSprop(groups, lr={lr}, momentum=0.9)",
    "Adagrad": "torch.optim.Adagrad(groups, lr={lr})",
}


class Residual(nn.Module):
    """Adds its input to what another module computes."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


@dataclass
class Script:
    """A program, and what the rules say of its tensors.

    Attributes:
        lines: Its lines.
        program: The rules of the lines in which the loss is computed.
        reached: The ways on which the data of each tensor reaches the loss.
        names: The names of all tensors, and the expressions that lead to them.
        dtype: The type of all tensors.
        toggled: The names of the tensors whose flag changes in what is watched.
        has_warmup: Whether the rate is 0 in the first step.
        twins: The names of tensors that share the memory of others.
    """

    lines: list[str]
    program: Program
    reached: Ways
    names: dict[str, str]
    dtype: str
    toggled: set[str] = field(default_factory=set)
    has_warmup: bool = False
    twins: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return "\n".join(self.lines)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Draw a program."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    size = draw(st.sampled_from((*SIZES[:1] * 3, *SIZES)))
    layers = Layers(kinds)
    names, twins = layers.names, layers.twins
    trainable = [name for name in names if name not in twins]

    def some(rarely: int = 3) -> set[str]:
        return {n for n in trainable if not draw(st.integers(0, rarely))}

    frozen, late, left_out, resting, second = some(), some(6), some(4), some(5), some(2)
    toggled = late if draw(st.booleans()) else set()
    frozen_now = frozen - toggled
    program = Program(0)
    for variable, call, owners in layers.calls:
        program.lines.append(f"    {variable} = {call}")
        ways: Ways = {n: {None} for n in owners if n not in frozen_now | set(twins)}
        program.ways[variable] = ways
        program.read |= set(ways)
    steps = [s for s in (*STEPS, ZERO, ZERO) if size == SIZES[0] or _fits(s)]
    healthy = [s for s in steps if not s.cut and s is not ZERO and s.leads]
    chosen = st.sampled_from(healthy if draw(st.booleans()) else steps)
    for step in draw(st.lists(chosen, max_size=6)):
        a, b = (program.pick(draw(st.integers(0, 9))) for _ in "ab")
        program.add(step, a, b)
    ends = draw(st.lists(st.integers(0, 2), min_size=1, max_size=2))
    reached = program.join([program.pick(end) for end in ends])
    # The rules count lines from ``def loss()`` on, which is the first line.
    script = Script(program.lines, program, reached, names, size, toggled, twins=twins)
    script.lines += layers.lines
    first = [n for n in trainable if n not in left_out | second]
    other = [n for n in second if n not in left_out]
    rate = draw(st.sampled_from((0.1, 0.1, 0.01, 1e-7, 1e-12)))
    made = []
    for key, held in (("one", first), ("two", other)):
        made += _optimizer(draw, script, key, held, resting, rate)
    script.has_warmup = bool(made) and draw(st.integers(0, 4)) == 0
    if script.has_warmup:
        script.lines.append(
            "schedulers = [torch.optim.lr_scheduler.LambdaLR(o, lambda i: i / 2) "
            f"for o in ({', '.join(made)},)]"
        )
    _loop(draw, script, made, frozen, late & toggled)
    return script


def _fits(step: Step) -> bool:
    return not any(word in step.code for word in _NOT_BFLOAT16)


class Layers:
    """The layers of a program.

    Attributes:
        lines: The lines that make them.
        calls: Variables, the calls whose results they get, and the tensors in those.
        names: The names of all tensors, and the expressions that lead to them.
        twins: The names of frozen tensors, and of those whose memory they share.
    """

    def __init__(self, kinds: list[str]) -> None:
        self.lines = ["net = nn.Module()", "net.plain, net.free = [], []"]
        self.calls: list[tuple[str, str, list[str]]] = []
        self.names: dict[str, str] = {}
        self.twins: dict[str, str] = {}
        self._last = ""
        for i, kind in enumerate(kinds):
            self._add(i, kind)
        if not self.calls:
            self.lines.append("pose = torch.ones(4, requires_grad=True)")
            self._call("u", "pose * 1", ["pose"])

    def _add(self, i: int, kind: str) -> None:
        if kind in BARE:
            self._bare(i, kind)
        elif kind == "listed layer":
            path = f"net.plain[{sum('plain' in n for n in self.names) // 2}]"
            self.lines.append("net.plain.append(nn.Linear(4, 4))")
            own = [f"{path}.weight", f"{path}.bias"]
            self._call(f"u{i}", f"{path}(data).mean(0)", own)
        elif kind in {"shared", "tied", "twin"} and self._last:
            self._related(i, kind)
        else:
            self._layer(i, kind if kind in LAYERS else "linear", kind != "unused")

    def _call(self, variable: str, call: str, own: list[str]) -> None:
        self.names |= {name: _expression(name) for name in own}
        self.calls.append((variable, call, own))

    def _bare(self, i: int, kind: str) -> None:
        """Add a tensor in no module; a gate is zero, and scales what was there last."""
        value = f"torch.{'zeros' if kind == 'gate' else 'ones'}(4)"
        name = f"pose{i}"
        if kind == "listed parameter":
            name = f"net.free[{sum('free' in n for n in self.names)}]"
            self.lines.append(f"net.free.append(nn.Parameter({value}))")
        else:
            self.lines.append(f"{name} = {value}.requires_grad_()")
        if kind == "gate" and self.calls:
            variable, _, behind = self.calls[-1]
            self._call(f"u{i}", f"{name} * {variable}", [name, *behind])
        else:
            self._call(f"u{i}", f"{name} * 1", [name])

    def _related(self, i: int, kind: str) -> None:
        """Add a layer that shares something with an earlier one."""
        path, last = f"net.l{i}", self._last
        if kind == "shared":
            self.lines.append(f"{path} = {last}")
            own = [f"{last}.weight", f"{last}.bias"]
        elif kind == "tied":
            self.lines.append(f"{path} = nn.Linear(4, 4)")
            self.lines.append(f"{path}.weight = {last}.weight")
            own = [f"{last}.weight", f"{path}.bias"]
        else:
            path = f"twin{i}"
            self.lines.append(f"{path} = nn.Linear(4, 4, bias=False)")
            same = f"nn.Parameter({last}.weight.detach(), requires_grad=False)"
            self.lines.append(f"{path}.weight = {same}")
            own = [f"{path}.weight"]
            self.twins[f"{path}.weight"] = f"{last}.weight"
        self._call(f"u{i}", f"{path}(data).mean(0)", own)

    def _layer(self, i: int, kind: str, is_called: bool) -> None:
        path = f"net.l{i}"
        self.lines.append(f"{path} = {LAYERS[kind]}")
        layer: nn.Module = eval(LAYERS[kind], {"nn": nn, "Residual": Residual})  # noqa: S307
        own = [f"{path}.{name}" for name, _ in layer.named_parameters()]
        if not is_called:
            self.names |= {name: _expression(name) for name in own}
            return
        call = f"{path}(data)"
        if kind == "nested":
            call = f'{path}["in"][1]({path}["in"][0](data))'
        if kind == "linear":
            self._last = path
        self._call(f"u{i}", f"{call}.mean(0)", own)


def _expression(name: str) -> str:
    """Return an expression for the tensor of a name."""
    head, *rest = name.split(".")
    if head != "net" or not rest or "[" in name:
        return name
    return f'net.get_parameter("{".".join(rest)}")'


def _optimizer(
    draw: st.DrawFn,
    script: Script,
    key: str,
    held: list[str],
    resting: set[str],
    rate: float,
) -> list[str]:
    """Write an optimizer for some tensors; return its variable."""
    parts = [n for n in held if n not in resting], [n for n in held if n in resting]
    groups = [
        f'{{"params": [{", ".join(script.names[n] for n in part)}]{extra}}}'
        for part, extra in zip(parts, ("", ', "lr": 0.0'), strict=True)
        if part
    ]
    if not groups:
        return []
    kind = draw(st.sampled_from(sorted(OPTIMIZERS)))
    script.lines.append(f"groups = [{', '.join(groups)}]")
    script.lines.append(f"{key} = {OPTIMIZERS[kind].format(lr=rate)}")
    return [key]


def _loop(
    draw: st.DrawFn, script: Script, made: list[str], frozen: set[str], late: set[str]
) -> None:
    """Write the training before, and what is watched."""
    count, backwards = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    place = draw(st.sampled_from(("start", "start", "end", "never")))
    to_none = draw(st.booleans())
    has_closure, alternates = draw(st.booleans()), draw(st.booleans())
    evaluates = draw(st.sampled_from(((), ("before",), ("before", "between"))))
    clear = [f"{o}.zero_grad(set_to_none={to_none})" for o in made]
    body = ["def closure():"]
    body += [f"    {line}" for line in (clear if has_closure else [])]
    body += [f"    for _ in range({backwards}):", "        value = loss()"]
    body += ["        if value.requires_grad:", "            value.backward()"]
    body += ["    note()", "    return value", "def iteration(i):"]
    one = [*clear] if place == "start" and not has_closure else []
    one += [] if has_closure else ["closure()"]
    for key in made:
        step = f"{key}.step({'closure' if has_closure else ''})"
        one.append(f"if i % 2 == 0: {step}" if alternates and key == "two" else step)
    if not made:
        one = ["closure()"]
    one += clear if place == "end" else []
    if script.has_warmup:
        one.append("for s in schedulers: s.step()")
    evaluate = ["net.eval()", "with torch.no_grad():", "    loss()", "net.train()"]
    body += [f"    {line}" for line in one]
    body += ["def evaluate():", *(f"    {line}" for line in evaluate)]
    if draw(st.booleans()) and not script.has_warmup:
        body.append("iteration(0)  # before it is watched")
    names = script.names
    body += [f"{names[n]}.requires_grad_(False)" for n in sorted(frozen)]
    body += ["def work():"]
    if evaluates:
        body.append("    evaluate()")
    body += [f"    for i in range({count}):"]
    body += [f"        {names[n]}.requires_grad_(i % 2 == 1)" for n in sorted(late)]
    body.append("        iteration(i)")
    if "between" in evaluates:
        body.append("        evaluate()")
    body += [
        "def watched():",
        "    with gradguide.watch() as report:",
        "        work()",
    ]
    script.lines += [*body, "    return report"]
