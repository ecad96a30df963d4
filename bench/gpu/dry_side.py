"""Stands where torch_side does when there is no device: every figure is invented, the same ones each time."""
import zlib


class DrySide:
    def describe(self):
        return {"device": "none (dry run)", "torch": "none", "cuda": "none"}

    def sets(self, case):
        return [{}]

    def anchors(self, case):
        library = {"matmul": "cublas", "conv2d": "cudnn"}.get(case.op, "torch eager")
        return {library: library, "torch.compile": "torch.compile"}

    def ours(self, case, folder):
        return "ours"

    def check(self, case, sets, call):
        return 0.0

    def copy(self, sets):
        return "copy"

    def burst(self, call, sets):
        return lambda: 1e-6 * (100 + zlib.crc32(call.encode()) % 100)

    def forget(self):
        pass


class DryOurs:
    """Names the folders that `ours.Ours` would export."""

    def folders(self, case):
        return [f"{case.name}/0"]
