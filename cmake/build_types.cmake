# Language, warnings and the four build types of CMakePresets.json.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Dev, Asan or Tsan" FORCE)
endif()

# Generated kernels bring their own optimiser, so -O3 would buy this code nothing but build time.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEV "-O0 -g1")
set(CMAKE_CXX_FLAGS_ASAN "-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined")
set(CMAKE_CXX_FLAGS_TSAN "-O1 -g1 -fno-omit-frame-pointer -fsanitize=thread")

# The oracles must round as they are written: no multiply and add becomes one on its own.
add_compile_options(-Wall -Wextra -Wswitch -ffp-contract=off)
if(TESSERA_WERROR)
  add_compile_options(-Werror)
endif()

# A program that never calls LLVM or XGBoost should not spend its start loading them.
add_link_options(-Wl,--as-needed)
find_program(TESSERA_LLD ld.lld)
find_program(TESSERA_GOLD ld.gold)
mark_as_advanced(TESSERA_LLD TESSERA_GOLD)
if(TESSERA_LLD)
  add_link_options(-fuse-ld=lld)
elseif(TESSERA_GOLD)
  add_link_options(-fuse-ld=gold)
endif()

# With a base directory, two checkouts share what they compile.
find_program(TESSERA_CCACHE ccache)
mark_as_advanced(TESSERA_CCACHE)
if(TESSERA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${TESSERA_CCACHE})
endif()
