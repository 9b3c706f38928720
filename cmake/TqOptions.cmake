# SPDX-License-Identifier: Apache-2.0
# Compiler flags for every target, through the interface target tq_options.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
elseif(TQ_SANITIZE)
  set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")  # sanitizers at -O0 make the golden tests crawl
endif()

find_program(TQ_CCACHE ccache)
if(TQ_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TQ_CCACHE})
endif()

add_library(tq_options INTERFACE)
target_compile_options(tq_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                            -Werror=return-type)
target_include_directories(tq_options INTERFACE ${PROJECT_SOURCE_DIR}/src
                                                ${PROJECT_SOURCE_DIR}/include)
if(TQ_BUILD_FUZZERS)
  target_compile_options(tq_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(TQ_SANITIZE)
  # UBSan opens a pipe to look at an object's class, and calls the object bad where no descriptor is
  # free, which is one of the things that are tested.
  target_compile_options(tq_options INTERFACE -fsanitize=${TQ_SANITIZE} -fno-omit-frame-pointer
                                              -fno-sanitize-recover=all -fno-sanitize=vptr)
  target_link_options(tq_options INTERFACE -fsanitize=${TQ_SANITIZE})
endif()
