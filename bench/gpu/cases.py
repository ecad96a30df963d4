"""What is measured: programs of the catalogue with the flags of `autotune`, and what we hope for.

Every operand is given at run time (`--constant none`). `small` are the shapes that compute-sanitizer is run on.
"""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """At least `least` of `figure`: "tb_s", "tflops", or "ratio", the time of `anchor` over ours."""
    figure: str
    least: float
    anchor: str = ""

    def text(self):
        return f"{self.least:g} of {self.anchor}" if self.figure == "ratio" else f"{self.least:g} {'TB/s' if self.figure == 'tb_s' else 'TFLOP/s'}"


@dataclass(frozen=True)
class Case:
    name: str
    op: str
    shape: dict
    small: dict
    dtype: str        # of the inputs
    result: str       # of the output: our products of bf16 are f32, where the libraries round
    tolerance: float  # of the largest element of the reference
    goal: Goal
    flops: float = 0  # of one run
    bytes: int = 0    # that one run must read and write
    layout: str = field(default="")

    def flags(self, small=False):
        shape = ",".join(f"{k}={v}" for k, v in (self.small if small else self.shape).items())
        return ["--op", self.op, "--shape", shape, "--dtype", self.dtype, "--constant", "none"] + (["--layout", self.layout] if self.layout else [])


def shapes(op, s):
    """Of the inputs by our names for them, and of the output."""
    if op == "matmul":
        return {"A": (s["m"], s["k"]), "B": (s["k"], s["n"])}, (s["m"], s["n"])
    if op == "conv2d":  # NHWC, stride 1
        height, width = (s[a] + 2 * s["pad"] - s[k] + 1 for a, k in (("h", "kh"), ("w", "kw")))
        return {"X": (s["n"], s["h"], s["w"], s["ci"]), "W": (s["kh"], s["kw"], s["ci"], s["co"])}, (s["n"], height, width, s["co"])
    row = {"gamma": (s["n"],), "beta": (s["n"],)} if op == "layer_norm" else {}
    return {"X": (s["m"], s["n"]), **row}, (s["m"], s["n"])


def check_fits(case, description):
    """ValueError unless a launch.json describes a kernel of the case: a log may be of another shape."""
    inputs, output = shapes(case.op, case.shape)
    for p in description["params"]:
        if p["role"] != "prepared":
            wanted = output if p["role"] == "output" else inputs.get(p["operand"])
            dtype = case.result if p["role"] == "output" else case.dtype
            if (p["dtype"], tuple(p["shape"])) != (dtype, wanted):
                raise ValueError(f"the kernel's {p['operand']} is {p['dtype']} {p['shape']}, that of the case {dtype} {list(wanted or [])}")


WIDTH = {"f32": 4, "f16": 2, "bf16": 2}


def rows(name, op, m, n, dtype, tolerance, goal):
    return Case(name, op, {"m": m, "n": n}, {"m": 67, "n": 130}, dtype, dtype, tolerance, goal, bytes=2 * m * n * WIDTH[dtype])


def product(name, size, dtype, tolerance, goal, result="f32"):
    shape = {"m": size, "n": size, "k": size}
    return Case(name, "matmul", shape, {"m": 130, "n": 70, "k": 100}, dtype, result, tolerance, goal, flops=2 * size**3,
                bytes=size * size * (2 * WIDTH[dtype] + WIDTH[result]))


def convolution(name, n, h, c, tolerance, goal):
    shape = {"n": n, "h": h, "w": h, "ci": c, "co": c, "kh": 3, "kw": 3, "pad": 1}
    small = dict(shape, n=1, h=9, w=9, ci=20, co=24)
    return Case(name, "conv2d", shape, small, "f32", "f32", tolerance, goal, flops=2 * n * h * h * c * c * 9,
                bytes=4 * (2 * n * h * h * c + 9 * c * c), layout="NHWC")


CASES = [
    rows("relu", "relu", 16384, 16384, "f32", 0, Goal("tb_s", 4.2)),
    rows("softmax", "softmax", 4096, 4096, "f32", 1e-5, Goal("tb_s", 3.9)),
    rows("layer_norm", "layer_norm", 4096, 4096, "f32", 1e-5, Goal("tb_s", 3.9)),
    product("matmul_f32", 4096, "f32", 1e-4, Goal("ratio", 0.90, "cublas")),
    convolution("conv2d_f32", 32, 56, 64, 1e-4, Goal("ratio", 0.90, "cudnn")),
    product("matmul_bf16", 8192, "bf16", 1e-3, Goal("tflops", 380)),
]


def chosen(names):
    """Those of comma-separated names, all of them for "". ValueError names what is unknown."""
    if not names:
        return CASES
    known = {c.name: c for c in CASES}
    words = [w for w in names.split(",") if w]
    for word in words:
        if word not in known:
            raise ValueError(f"unknown case '{word}'; cases are {', '.join(known)}")
    return [known[w] for w in words]
