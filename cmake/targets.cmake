# How the rows of cmake/layers.cmake become targets.

# layer(name [folders it may include...]): `tessera_<name>`, the static library of all .cpp files
# below the folder, or an interface while there are none.
macro(layer name)
  _layer(${name} ${ARGN})
  list(APPEND TESSERA_LAYERS ${name})
endmacro()

function(_layer name)
  foreach(below IN ITEMS ${ARGN})
    if(NOT TARGET tessera_${below})
      message(FATAL_ERROR "cmake/layers.cmake: ${name} names ${below}, which is not above it")
    endif()
  endforeach()

  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${name}/*.cpp")
  if(sources)
    set(scope PUBLIC)
    add_library(tessera_${name} STATIC ${sources})
  else()
    set(scope INTERFACE)
    add_library(tessera_${name} INTERFACE)
  endif()
  target_include_directories(tessera_${name} ${scope} "${PROJECT_SOURCE_DIR}")

  set(libraries ${ARGN})
  if(NOT name STREQUAL "support")
    list(APPEND libraries support)
  endif()
  list(TRANSFORM libraries PREPEND tessera_)
  target_link_libraries(tessera_${name} ${scope} ${libraries} Threads::Threads ${CMAKE_DL_LIBS})
  add_library(tessera::${name} ALIAS tessera_${name})
endfunction()

# third_party(name [PUBLIC] HEADERS prefixes... IN folders...): gives third_party::<name>, where
# cmake/dependencies.cmake found one, to the layers of those folders (PUBLIC: and to whoever links
# them). What is opened at run time (the CUDA driver, NVRTC) has no target: its row only feeds
# scripts/check_layers.py.
function(third_party name)
  cmake_parse_arguments(arg "PUBLIC" "" "HEADERS;IN" ${ARGN})
  if(NOT TARGET third_party::${name})
    return()
  endif()
  set(scope PRIVATE)
  if(arg_PUBLIC)
    set(scope PUBLIC)
  endif()
  foreach(path IN LISTS arg_IN)
    string(REGEX REPLACE "/.*" "" folder "${path}")
    if(NOT TARGET tessera_${folder})
      continue()  # tools, tests and bench link theirs where they are defined
    endif()
    get_target_property(type tessera_${folder} TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
      target_link_libraries(tessera_${folder} ${scope} third_party::${name})
    endif()
  endforeach()
endfunction()

# tessera_all(): after the last layer, `tessera` links every one of them. What a user's program
# links.
function(tessera_all)
  if(TARGET tessera)
    return()
  endif()
  add_library(tessera INTERFACE)
  add_library(tessera::tessera ALIAS tessera)
  list(TRANSFORM TESSERA_LAYERS PREPEND tessera_)
  target_link_libraries(tessera INTERFACE ${TESSERA_LAYERS})
endfunction()
