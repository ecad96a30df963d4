"""Times exported kernels one after the other on cleared memory, alone in this process: what a kernel does to the
device's context ends with it.

    bench/gpu/pick.py FOLDER ...        a line {"folder", "seconds"} or {"folder", "message"} for each
"""
import ctypes
import json
import sys

from launch import Driver, DriverError, Kernels, open_context, operands_of

RUNS = 20


def seconds_of(driver, kernels):
    addresses, workspace, prepared = operands_of(driver, kernels)
    begin, end = ctypes.c_void_p(), ctypes.c_void_p()
    for event in begin, end:
        driver.cuEventCreate(ctypes.byref(event), 0)
    kernels.enqueue(addresses, workspace, prepared=prepared, phase="prepare")
    kernels.enqueue(addresses, workspace, prepared=prepared)  # loads what is loaded lazily
    driver.cuEventRecord(begin, None)
    for _ in range(RUNS):
        kernels.enqueue(addresses, workspace, prepared=prepared)
    driver.cuEventRecord(end, None)
    driver.cuStreamSynchronize(None)
    ms = ctypes.c_float()
    driver.cuEventElapsedTime(ctypes.byref(ms), begin, end)
    for address in [*addresses.values(), workspace, prepared]:
        driver.cuMemFree_v2(ctypes.c_uint64(address))
    return ms.value / 1e3 / RUNS


def main():
    try:
        driver = Driver()
        open_context(driver)
    except DriverError as problem:
        print(f"pick.py: {problem}", file=sys.stderr)
        return 4
    for folder in sys.argv[1:]:
        try:
            line = {"folder": folder, "seconds": seconds_of(driver, Kernels(folder, driver))}
        except (DriverError, OSError, ValueError) as problem:
            line = {"folder": folder, "message": str(problem)}
        print(json.dumps(line), flush=True)
        if "message" in line:
            return 1  # the context may be lost; whoever started us goes on with the next
    return 0


if __name__ == "__main__":
    sys.exit(main())
