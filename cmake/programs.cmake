# Programs, one per folder or file: they appear when their sources do.
tessera_all()
add_custom_target(tools)  # what ./autotune builds
add_custom_target(bench)  # what nobody builds by accident

# tools/<name>/*.cpp -> <build>/bin/<name>
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/*/*.cpp")
set(TESSERA_TOOLS "")
foreach(source IN LISTS sources)
  cmake_path(GET source PARENT_PATH folder)
  cmake_path(GET folder FILENAME name)
  if(NOT TARGET ${name})
    add_executable(${name})
    # Libraries are looked for in ../lib first: scripts/bundle puts them there. As RPATH, which holds for what those
    # libraries load too; RUNPATH would not.
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin" BUILD_RPATH "$ORIGIN/../lib")
    target_link_options(${name} PRIVATE "LINKER:--disable-new-dtags")
    target_link_libraries(${name} PRIVATE tessera third_party::cli11 third_party::fmt)
    add_dependencies(tools ${name})
    list(APPEND TESSERA_TOOLS ${name})
  endif()
  target_sources(${name} PRIVATE "${source}")
endforeach()

# bench/<name>.cpp -> <build>/bench/<name>, by `cmake --build <build> --target bench`
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.cpp")
foreach(source IN LISTS sources)
  cmake_path(GET source STEM name)
  add_executable(bench_${name} EXCLUDE_FROM_ALL "${source}")
  set_target_properties(bench_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bench")
  target_link_libraries(bench_${name} PRIVATE tessera third_party::benchmark)
  add_dependencies(bench bench_${name})
endforeach()

# docs/lessons/<name>.cpp -> <build>/lessons/<name>, run as a test (tests/CMakeLists.txt)
file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/lessons/*.cpp")
set(TESSERA_LESSONS "")
foreach(source IN LISTS sources)
  cmake_path(GET source STEM name)
  add_executable(lesson_${name} "${source}")
  set_target_properties(lesson_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lessons")
  target_link_libraries(lesson_${name} PRIVATE tessera)
  list(APPEND TESSERA_LESSONS ${name})
endforeach()
