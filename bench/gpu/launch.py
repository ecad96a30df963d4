"""Loads what `autotune export --to cuda` wrote and calls it through the CUDA driver, by NAME.launch.json alone.

    bench/gpu/launch.py FOLDER          runs the kernel once on cleared memory; compute-sanitizer python3 ... checks it

docs/reference/launch_json.md describes the file. Nothing but Python and a driver is needed; addresses and streams are
numbers, so PyTorch's `tensor.data_ptr()` and `stream.cuda_stream` fit.
"""
import ctypes
import hashlib
import json
import os
import sys
from pathlib import Path

SCHEMA = "tessera-launch/1"
CLUSTER_DIMENSION, MOST_DYNAMIC_SHARED = 4, 8
SHARED_WITHOUT_OPT_IN = 48 << 10


class DriverError(RuntimeError):
    """A call that the driver refused, or no driver."""


class LaunchAttribute(ctypes.Structure):
    _fields_ = [("id", ctypes.c_int), ("padding", ctypes.c_char * 4), ("cluster", ctypes.c_uint * 16)]


class LaunchConfig(ctypes.Structure):
    _fields_ = [("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3), ("shared_bytes", ctypes.c_uint),
                ("stream", ctypes.c_void_p), ("attributes", ctypes.POINTER(LaunchAttribute)), ("attribute_count", ctypes.c_uint)]


class Driver:
    """libcuda.so.1, or what TESSERA_CUDA_DRIVER names. `driver.cuInit(0)` raises DriverError when the call fails."""

    def __init__(self, path=None):
        path = path or os.environ.get("TESSERA_CUDA_DRIVER", "libcuda.so.1")
        try:
            self.library = ctypes.CDLL(path)
        except OSError as problem:
            raise DriverError(f"no CUDA driver on this machine ({problem})") from None

    def __getattr__(self, symbol):
        try:
            function = getattr(self.library, symbol)
        except AttributeError:
            raise DriverError(f"the CUDA driver has no {symbol}: one for CUDA 11.8 or later is needed") from None

        def call(*arguments):
            code = function(*arguments)
            if code != 0:
                text = ctypes.c_char_p()
                self.library.cuGetErrorString(code, ctypes.byref(text))
                raise DriverError(f"{symbol}: {(text.value or b'unknown error').decode()} ({code})")

        setattr(self, symbol, call)
        return call


class Kernels:
    """An exported operator in the current context."""

    def __init__(self, folder, driver):
        self.driver = driver
        self.description = read_description(folder)
        self.params = {p["name"]: p for p in self.description["params"]}
        self.workspace_bytes = self.description["workspace"]["bytes"]
        self.prepared_bytes = self.description["prepared"]["bytes"]
        self.module = ctypes.c_void_p()
        driver.cuModuleLoadData(ctypes.byref(self.module), read_image(folder, self.description))
        self.functions = {}
        for kernel in self.description["kernels"]:
            function = ctypes.c_void_p()
            driver.cuModuleGetFunction(ctypes.byref(function), self.module, kernel["name"].encode())
            shared = kernel["attributes"]["max_dynamic_shared_bytes"]
            if shared > SHARED_WITHOUT_OPT_IN:
                driver.cuFuncSetAttribute(function, MOST_DYNAMIC_SHARED, shared)
            self.functions[kernel["name"]] = function

    def enqueue(self, addresses, workspace=0, stream=0, prepared=0, phase="run"):
        """Puts a phase into the stream. `addresses`: of inputs, constants and outputs by what the program calls them."""
        if phase == "run":
            for zero in self.description["workspace"]["zero"]:
                self.driver.cuMemsetD8Async(ctypes.c_uint64(workspace + zero["offset"]), ctypes.c_ubyte(0),
                                            ctypes.c_size_t(zero["bytes"]), ctypes.c_void_p(stream))
        for launch in self.description["launches"]:
            if launch["phase"] == phase:
                values = [ctypes.c_uint64(self.value(a, addresses, workspace, prepared)) for a in launch["arguments"]]
                self.launch(launch, values, stream)

    def value(self, argument, addresses, workspace, prepared):
        if "workspace" in argument:
            return workspace + argument["workspace"]
        if "scalar" in argument:
            return argument["scalar"] & (1 << 64) - 1
        param = self.params[argument["param"]]
        return prepared + param["offset"] if param["role"] == "prepared" else addresses[param["operand"]]

    def launch(self, launch, values, stream):
        attribute = LaunchAttribute(CLUSTER_DIMENSION, b"", (ctypes.c_uint * 16)(*launch["cluster"]))
        clustered = launch["cluster"] != [1, 1, 1]
        config = LaunchConfig((ctypes.c_uint * 3)(*launch["grid"]), (ctypes.c_uint * 3)(*launch["block"]),
                              launch["dynamic_shared_bytes"], stream, ctypes.pointer(attribute), 1 if clustered else 0)
        parameters = (ctypes.c_void_p * max(1, len(values)))(*[ctypes.addressof(v) for v in values])
        self.driver.cuLaunchKernelEx(ctypes.byref(config), self.functions[launch["kernel"]], parameters, None)


def read_description(folder):
    files = sorted(Path(folder).glob("*.launch.json"))
    if len(files) != 1:
        raise ValueError(f"'{folder}' holds {len(files)} files NAME.launch.json, not one; autotune export --to cuda writes it")
    description = json.loads(files[0].read_text())
    if description.get("schema") != SCHEMA:
        raise ValueError(f"'{files[0]}' has the schema {description.get('schema')!r}; this program reads {SCHEMA}")
    return description


def read_image(folder, description):
    image = next(i for i in description["images"] if i["kind"] == "cubin")
    data = (Path(folder) / image["file"]).read_bytes()
    if hashlib.sha256(data).hexdigest() != image["sha256"]:
        raise ValueError(f"'{image['file']}' in '{folder}' is not the one that its launch.json describes")
    return data


def open_context(driver):
    """Makes the first device's primary context current."""
    driver.cuInit(0)
    device, context = ctypes.c_int(), ctypes.c_void_p()
    driver.cuDeviceGet(ctypes.byref(device), 0)
    driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
    driver.cuCtxSetCurrent(context)


def operands_of(driver, kernels):
    """Cleared memory: addresses of the operands, workspace, prepared block."""

    def allocate(size):
        address = ctypes.c_uint64()
        driver.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(max(size, 1)))
        driver.cuMemsetD8Async(address, ctypes.c_ubyte(0), ctypes.c_size_t(max(size, 1)), None)
        return address.value

    addresses = {p["operand"]: allocate(p["bytes"]) for p in kernels.params.values() if p["role"] != "prepared"}
    return addresses, allocate(kernels.workspace_bytes), allocate(kernels.prepared_bytes)


def run_once(folder):
    driver = Driver()
    open_context(driver)
    kernels = Kernels(folder, driver)
    addresses, workspace, prepared = operands_of(driver, kernels)
    for phase in ("prepare", "run"):
        kernels.enqueue(addresses, workspace, prepared=prepared, phase=phase)
    driver.cuStreamSynchronize(None)
    print(f"{kernels.description['name']} ran")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        run_once(sys.argv[1])
    except DriverError as problem:
        print(f"launch.py: {problem}", file=sys.stderr)
        return 4
    except (OSError, ValueError) as problem:
        print(f"launch.py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
