# Third parties, each as the interface target `third_party::<name>`. Everything missing is reported
# at once, one line each, with the one command that installs it. cmake/packages.txt holds the names.
find_package(Threads REQUIRED)

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/packages.txt" package_rows REGEX "^[^#]")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  "${CMAKE_CURRENT_LIST_DIR}/packages.txt")
set(missing_packages "")

# dependency(name package FOUND variable LINK ... INCLUDE ... DEFINE ...): makes third_party::<name>
# where the variable is true; otherwise says what is missing and what for.
function(dependency name package)
  cmake_parse_arguments(arg "" "FOUND" "LINK;INCLUDE;DEFINE" ${ARGN})
  if(NOT ${arg_FOUND})  # <name>-NOTFOUND is false too
    list(APPEND missing_packages ${package})
    set(missing_packages "${missing_packages}" PARENT_SCOPE)
    foreach(row IN LISTS package_rows)
      string(REGEX REPLACE " *\\| *" ";" columns "${row}")
      list(GET columns 0 row_package)
      if(row_package STREQUAL package)
        list(GET columns 3 purpose)
        message(NOTICE "missing ${package}: ${purpose}")
      endif()
    endforeach()
    return()
  endif()
  add_library(third_party_${name} INTERFACE)
  add_library(third_party::${name} ALIAS third_party_${name})
  target_link_libraries(third_party_${name} INTERFACE ${arg_LINK})
  target_include_directories(third_party_${name} SYSTEM INTERFACE ${arg_INCLUDE})
  target_compile_definitions(third_party_${name} INTERFACE ${arg_DEFINE})
endfunction()

find_package(LLVM 19.1 CONFIG QUIET)
separate_arguments(llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
dependency(llvm llvm-19-dev FOUND LLVM_FOUND LINK LLVM INCLUDE ${LLVM_INCLUDE_DIRS}
           DEFINE ${llvm_definitions})

find_path(ISL_INCLUDE_DIR isl/ctx.h)
find_library(ISL_LIBRARY isl)
dependency(isl libisl-dev FOUND ISL_LIBRARY LINK ${ISL_LIBRARY} INCLUDE ${ISL_INCLUDE_DIR})

# Not by its config file: Debian's names a program that the package does not contain.
find_path(XGBOOST_INCLUDE_DIR xgboost/c_api.h)
find_library(XGBOOST_LIBRARY xgboost)
dependency(xgboost libxgboost-dev FOUND XGBOOST_LIBRARY LINK ${XGBOOST_LIBRARY}
           INCLUDE ${XGBOOST_INCLUDE_DIR})

# Without its std::filesystem conversions the header compiles a third faster.
find_package(nlohmann_json 3.11 CONFIG QUIET)
dependency(json nlohmann-json3-dev FOUND nlohmann_json_FOUND LINK nlohmann_json::nlohmann_json
           DEFINE JSON_HAS_FILESYSTEM=0 JSON_HAS_EXPERIMENTAL_FILESYSTEM=0)

find_package(CLI11 CONFIG QUIET)
dependency(cli11 libcli11-dev FOUND CLI11_FOUND LINK CLI11::CLI11)

find_package(fmt CONFIG QUIET)
dependency(fmt libfmt-dev FOUND fmt_FOUND LINK fmt::fmt)

find_package(GTest CONFIG QUIET)
dependency(gtest libgtest-dev FOUND GTest_FOUND LINK GTest::gtest)

find_package(benchmark CONFIG QUIET)
dependency(benchmark libbenchmark-dev FOUND benchmark_FOUND LINK benchmark::benchmark_main)

if(missing_packages)
  list(JOIN missing_packages " " missing_packages)
  message(FATAL_ERROR "install what is missing: apt-get install -y ${missing_packages}")
endif()
