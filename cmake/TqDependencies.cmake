# SPDX-License-Identifier: Apache-2.0
# Debian's packages (scripts/install-deps lists them); each becomes one imported target.
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)

# msgpack-cxx is headers only; its package wants Boost unless MSGPACK_NO_BOOST is defined.
find_path(MSGPACK_INCLUDE msgpack.hpp REQUIRED)
add_library(tq_msgpack INTERFACE)
target_include_directories(tq_msgpack SYSTEM INTERFACE ${MSGPACK_INCLUDE})
target_compile_definitions(tq_msgpack INTERFACE MSGPACK_NO_BOOST)

# xxHash's header alone: its functions are compiled into the one file that uses them.
find_path(XXHASH_INCLUDE xxhash.h REQUIRED)
add_library(tq_xxhash INTERFACE)
target_include_directories(tq_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE})

# libzmq is no part of what is built: it is the peer of tests and the measure of benchmarks.
if(TQ_BUILD_TESTS OR TQ_BUILD_BENCH)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(TQ_ZMQ REQUIRED IMPORTED_TARGET libzmq>=4.3)
  find_path(CPPZMQ_INCLUDE zmq.hpp REQUIRED)
  add_library(tq_zmq INTERFACE)
  target_include_directories(tq_zmq SYSTEM INTERFACE ${CPPZMQ_INCLUDE})
  target_link_libraries(tq_zmq INTERFACE PkgConfig::TQ_ZMQ)
endif()

if(TQ_USE_MIMALLOC)
  find_library(MIMALLOC_LIBRARY mimalloc)
  if(NOT MIMALLOC_LIBRARY)
    message(WARNING "mimalloc not found (Debian: libmimalloc-dev): transfers will touch cold memory")
  endif()
endif()

# tq_use_mimalloc(TARGET): first on the link line, so that malloc itself is replaced, in libraries too. Call it
# before other libraries are linked.
function(tq_use_mimalloc target)
  if(MIMALLOC_LIBRARY)
    target_link_libraries(${target} PRIVATE -Wl,--no-as-needed ${MIMALLOC_LIBRARY} -Wl,--as-needed)
    target_compile_definitions(${target} PRIVATE TQ_HAVE_MIMALLOC)
  endif()
endfunction()

if(TQ_BUILD_TESTS)
  # Catch2 2 is Debian 12's, Catch2 3 everybody else's; tests/support/catch.h hides the difference.
  find_package(Catch2 REQUIRED)
endif()
