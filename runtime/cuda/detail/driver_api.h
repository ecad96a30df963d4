// The part of the CUDA driver's C interface that we call, declared by hand: its header is not needed to
// build. Names of symbols carry the versions that drivers since CUDA 11.8 export.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tessera::runtime::detail {

using CuResult = int;
using CuDevice = int;
using CuAddress = unsigned long long;
using CuContext = struct CUctx_st*;
using CuModule = struct CUmod_st*;
using CuFunction = struct CUfunc_st*;
using CuStream = struct CUstream_st*;
using CuEvent = struct CUevent_st*;
using CuGraph = struct CUgraph_st*;
using CuGraphExec = struct CUgraphExec_st*;

struct CuLaunchAttribute {
  int id = 0;
  char padding[4] = {};
  union {
    struct {
      unsigned x, y, z;
    } cluster;
    char bytes[64];
  } value = {};
};
static_assert(sizeof(CuLaunchAttribute) == 72);
inline constexpr int kCuLaunchClusterDimension = 4;

struct CuLaunchConfig {
  unsigned grid_x = 1, grid_y = 1, grid_z = 1, block_x = 1, block_y = 1, block_z = 1, shared_bytes = 0;
  CuStream stream = nullptr;
  CuLaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};
static_assert(sizeof(CuLaunchConfig) == 56);

inline constexpr CuResult kCuSuccess = 0;
inline constexpr unsigned kCuStreamNonBlocking = 1;
inline constexpr int kCuCaptureThreadLocal = 1;
inline constexpr int kCuFunctionMostDynamicShared = 8;

// CUdevice_attribute
inline constexpr int kCuMultiprocessors = 16, kCuL2Bytes = 38, kCuCapabilityMajor = 75, kCuCapabilityMinor = 76,
                     kCuSharedPerSm = 81, kCuRegistersPerSm = 82, kCuSharedPerBlockOptIn = 97;

/// X(member, symbol, parameters): each returns a CuResult.
#define TESSERA_CUDA_FUNCTIONS(X)                                                                      \
  X(GetErrorName, "cuGetErrorName", (CuResult, const char**))                                          \
  X(GetErrorString, "cuGetErrorString", (CuResult, const char**))                                      \
  X(Init, "cuInit", (unsigned))                                                                        \
  X(DriverGetVersion, "cuDriverGetVersion", (int*))                                                    \
  X(DeviceGetCount, "cuDeviceGetCount", (int*))                                                        \
  X(DeviceGet, "cuDeviceGet", (CuDevice*, int))                                                        \
  X(DeviceGetName, "cuDeviceGetName", (char*, int, CuDevice))                                          \
  X(DeviceGetAttribute, "cuDeviceGetAttribute", (int*, int, CuDevice))                                 \
  X(DeviceTotalMem, "cuDeviceTotalMem_v2", (std::size_t*, CuDevice))                                   \
  X(PrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (CuContext*, CuDevice))                              \
  X(PrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2", (CuDevice))                                     \
  X(CtxSetCurrent, "cuCtxSetCurrent", (CuContext))                                                     \
  X(ModuleLoadData, "cuModuleLoadData", (CuModule*, const void*))                                      \
  X(ModuleUnload, "cuModuleUnload", (CuModule))                                                        \
  X(ModuleGetFunction, "cuModuleGetFunction", (CuFunction*, CuModule, const char*))                    \
  X(FuncSetAttribute, "cuFuncSetAttribute", (CuFunction, int, int))                                    \
  X(LaunchKernelEx, "cuLaunchKernelEx", (const CuLaunchConfig*, CuFunction, void**, void**))           \
  X(MemAlloc, "cuMemAlloc_v2", (CuAddress*, std::size_t))                                              \
  X(MemFree, "cuMemFree_v2", (CuAddress))                                                              \
  X(MemGetInfo, "cuMemGetInfo_v2", (std::size_t*, std::size_t*))                                       \
  X(MemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (CuAddress, const void*, std::size_t, CuStream))          \
  X(MemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void*, CuAddress, std::size_t, CuStream))                \
  X(MemsetD8Async, "cuMemsetD8Async", (CuAddress, unsigned char, std::size_t, CuStream))               \
  X(StreamCreate, "cuStreamCreate", (CuStream*, unsigned))                                             \
  X(StreamDestroy, "cuStreamDestroy_v2", (CuStream))                                                   \
  X(StreamSynchronize, "cuStreamSynchronize", (CuStream))                                              \
  X(StreamBeginCapture, "cuStreamBeginCapture_v2", (CuStream, int))                                    \
  X(StreamEndCapture, "cuStreamEndCapture", (CuStream, CuGraph*))                                      \
  X(GraphInstantiate, "cuGraphInstantiateWithFlags", (CuGraphExec*, CuGraph, unsigned long long))      \
  X(GraphLaunch, "cuGraphLaunch", (CuGraphExec, CuStream))                                             \
  X(GraphExecDestroy, "cuGraphExecDestroy", (CuGraphExec))                                             \
  X(GraphDestroy, "cuGraphDestroy", (CuGraph))                                                         \
  X(EventCreate, "cuEventCreate", (CuEvent*, unsigned))                                                \
  X(EventDestroy, "cuEventDestroy_v2", (CuEvent))                                                      \
  X(EventRecord, "cuEventRecord", (CuEvent, CuStream))                                                 \
  X(EventElapsedTime, "cuEventElapsedTime", (float*, CuEvent, CuEvent))

struct DriverApi {
#define X(member, symbol, parameters) CuResult(*member) parameters = nullptr;
  TESSERA_CUDA_FUNCTIONS(X)
#undef X
};

}  // namespace tessera::runtime::detail
