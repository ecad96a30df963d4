"""The libraries, through PyTorch: operands, what is right, anchors, and bursts of runs in a CUDA graph."""
import math

from cases import check_fits, shapes
from launch import Driver, Kernels
from timing import OutOfTime, first_line

BURST_S = 5e-3
ROTATE_OVER_L2 = 2.5
MOST_RUNS, MOST_SETS = 256, 32


class Unavailable(RuntimeError):
    """No PyTorch, or none that sees a device."""


def open_torch():
    try:
        import torch
    except ImportError as problem:
        raise Unavailable(f"no PyTorch for this Python ({problem})") from None
    if not torch.cuda.is_available():
        raise Unavailable("PyTorch sees no CUDA device")
    return TorchSide(torch)


class TorchSide:
    def __init__(self, torch):
        self.torch, self.F = torch, torch.nn.functional
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        self.properties = torch.cuda.get_device_properties(0)
        torch.zeros(1, device="cuda")  # its context is the one that our kernels are loaded into
        self.driver = Driver()

    def describe(self):
        return {"device": self.properties.name, "torch": self.torch.__version__, "cuda": self.torch.version.cuda}

    # --- operands and the definition ---------------------------------------------------------------

    def dtype(self, name):
        return {"f32": self.torch.float32, "f16": self.torch.float16, "bf16": self.torch.bfloat16}[name]

    def sets(self, case):
        """As many sets of operands as go beyond the L2 cache; the key "" is the output."""
        l2_bytes = getattr(self.properties, "L2_cache_size", 64 << 20)  # older versions do not say
        wanted = math.ceil(ROTATE_OVER_L2 * l2_bytes / case.bytes)
        inputs, output = shapes(case.op, case.shape)
        generator = self.torch.Generator(device="cuda").manual_seed(1)
        make = lambda shape: self.torch.rand(shape, generator=generator, device="cuda").mul_(2).sub_(1).to(self.dtype(case.dtype))
        return [{**{name: make(shape) for name, shape in inputs.items()}, "": self.torch.empty(output, dtype=self.dtype(case.result), device="cuda")}
                for _ in range(min(max(wanted, 1), MOST_SETS))]

    def definition(self, case, s):
        """The result, of operands of any dtype."""
        if case.op == "matmul":
            return s["A"] @ s["B"]
        if case.op == "conv2d":
            image = self.F.conv2d(s["X"].permute(0, 3, 1, 2), s["W"].permute(3, 2, 0, 1), padding=case.shape["pad"])
            return image.permute(0, 2, 3, 1)
        if case.op == "softmax":
            return self.torch.softmax(s["X"], -1)
        if case.op == "layer_norm":
            return self.F.layer_norm(s["X"], s["X"].shape[-1:], s["gamma"], s["beta"], 1e-5)
        return self.torch.relu(s["X"])

    def error(self, case, s, got):
        """Largest difference from the definition in f64, of its largest element; not a number where `got` holds one."""
        right = self.definition(case, {name: x.double() for name, x in s.items() if name})
        return ((got.double() - right).abs().max() / right.abs().max()).item()

    # --- contenders ---------------------------------------------------------------------------------

    def anchors(self, case):
        """name -> function of a set of operands; made ready once a set."""
        torch = self.torch
        compiled = torch.compile(lambda s: self.definition(case, s))
        if case.op == "matmul":
            out = lambda s: s[""] if case.result == case.dtype else None  # the library rounds to the dtype of the inputs
            return {"cublas": lambda s: torch.matmul(s["A"], s["B"], out=out(s)), "torch.compile": compiled}
        if case.op == "conv2d":
            # Weights as cuDNN wants them, outside of the time: a network keeps them so.
            ready = {}

            def cudnn(s):
                key = s["W"].data_ptr()
                if key not in ready:
                    ready[key] = s["W"].permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
                return self.F.conv2d(s["X"].permute(0, 3, 1, 2), ready[key], padding=case.shape["pad"])

            return {"cudnn": cudnn, "torch.compile": compiled}
        return {"torch eager": lambda s: self.definition(case, s), "torch.compile": compiled}

    def ours(self, case, folder):
        """A function of a set of operands that puts our kernel into torch's stream."""
        kernels = Kernels(folder, self.driver)
        check_fits(case, kernels.description)
        output = next(p["operand"] for p in kernels.params.values() if p["role"] == "output")
        byte = lambda n: self.torch.empty(max(n, 1), dtype=self.torch.uint8, device="cuda")
        workspace, prepared = byte(kernels.workspace_bytes), byte(kernels.prepared_bytes)

        def call(s):
            addresses = {name: x.data_ptr() for name, x in s.items() if name}
            addresses[output] = s[""].data_ptr()
            kernels.enqueue(addresses, workspace.data_ptr(), self.torch.cuda.current_stream().cuda_stream, prepared.data_ptr())

        return call

    def check(self, case, sets, call):
        """Error of our kernel on the first set, whose output holds NaN before."""
        sets[0][""].fill_(float("nan"))
        call(sets[0])
        self.torch.cuda.synchronize()
        return self.error(case, sets[0], sets[0][""])

    def copy(self, sets):
        return lambda s: s[""].copy_(s["X"])

    def burst(self, call, sets):
        """A function that replays a graph of runs, each on the next set, and gives the seconds of one."""
        torch = self.torch
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())  # where the operands are made
        with torch.cuda.stream(stream):
            for s in sets:  # warm, and compiled where that is lazy
                call(s)
            stream.synchronize()
            alone = self.elapsed(stream, lambda: [call(s) for s in sets]) / len(sets)
        runs = min(max(len(sets), math.ceil(BURST_S / max(alone, 1e-7))), MOST_RUNS)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            for i in range(runs):
                call(sets[i % len(sets)])
        with torch.cuda.stream(stream):
            graph.replay()
            stream.synchronize()
        return lambda: self.elapsed(stream, graph.replay) / runs

    def elapsed(self, stream, work):
        torch = self.torch
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with torch.cuda.stream(stream):
            begin.record(stream)
            work()
            end.record(stream)
        end.synchronize()
        return begin.elapsed_time(end) / 1e3

    def forget(self):
        self.torch.cuda.empty_cache()


def made_ready(side, contenders, sets):
    """name -> burst of those that could be captured, name -> message of the others."""
    bursts, failed = {}, {}
    for name, call in contenders.items():
        try:
            bursts[name] = side.burst(call, sets)
        except OutOfTime:
            raise
        except Exception as problem:  # of whatever library
            failed[name] = first_line(problem)
    return bursts, failed
