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

# The boxes of CURVE. A consumer's own find_package(TransferQueue) makes the same target.
find_package(PkgConfig REQUIRED)
pkg_check_modules(TQ_SODIUM REQUIRED IMPORTED_TARGET libsodium)

# Metrics over HTTP: prometheus-cpp writes Prometheus' text, civetweb serves it. Debian's package of the first brings
# the second; its CMake files want curl and more that is not used here.
find_path(PROMETHEUS_INCLUDE prometheus/text_serializer.h REQUIRED)
find_library(PROMETHEUS_LIBRARY prometheus-cpp-core REQUIRED)
add_library(tq_prometheus INTERFACE)
target_include_directories(tq_prometheus SYSTEM INTERFACE ${PROMETHEUS_INCLUDE})
target_link_libraries(tq_prometheus INTERFACE ${PROMETHEUS_LIBRARY})
find_path(CIVETWEB_INCLUDE civetweb.h REQUIRED)
find_library(CIVETWEB_LIBRARY civetweb REQUIRED)
add_library(tq_civetweb INTERFACE)
target_include_directories(tq_civetweb SYSTEM INTERFACE ${CIVETWEB_INCLUDE})
target_link_libraries(tq_civetweb INTERFACE ${CIVETWEB_LIBRARY})

# The configuration file, upstream's YAML.
find_path(YAML_CPP_INCLUDE yaml-cpp/yaml.h REQUIRED)
find_library(YAML_CPP_LIBRARY yaml-cpp REQUIRED)
add_library(tq_yaml INTERFACE)
target_include_directories(tq_yaml SYSTEM INTERFACE ${YAML_CPP_INCLUDE})
target_link_libraries(tq_yaml INTERFACE ${YAML_CPP_LIBRARY})

# libzmq is no part of what is built: it is the peer of tests and the measure of benchmarks.
if(TQ_BUILD_TESTS OR TQ_BUILD_BENCH)
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
