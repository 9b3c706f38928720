# SPDX-License-Identifier: Apache-2.0
# Chooses the libtorch for src/torch: what Torch_DIR or CMAKE_PREFIX_PATH name; else pip's, which scripts/python-env
# made; else the system's. Imports it as the target `torch`, which alone carries its compile flags, and sets
#   TQ_TORCH_DIR      the folder of its TorchConfig.cmake; empty where there is no libtorch, or none is wanted
#   TQ_TORCH_VERSION  such as 2.13.0
#   TQ_TORCH_MISSING  why there is none
include(TransferQueueFindTorch)

# Sets `usable`; if it is false, `refused` says why.
function(tq_probe_torch folder)
  set(probe ${CMAKE_BINARY_DIR}/torch_probe)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR}/cmake/torch_probe -B ${probe}
            -G ${CMAKE_GENERATOR} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
            -DTQ_TORCH_DIR=${folder}
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE errors)
  file(REMOVE_RECURSE ${probe})
  set(usable TRUE PARENT_SCOPE)
  if(NOT status EQUAL 0)
    string(REGEX REPLACE "^.*CMake Error at [^\n]*\n" "" reason "${errors}")
    string(REGEX REPLACE "\n(\n|Call Stack).*$" "" reason "${reason}")
    string(REGEX REPLACE "[ \n]+" " " reason "${reason}")
    string(STRIP "${reason}" reason)
    set(usable FALSE PARENT_SCOPE)
    set(refused "${folder} cannot be used: ${reason}" PARENT_SCOPE)
  endif()
endfunction()

# tq_choose_torch(WHOSE FOLDER...): takes the first that is usable, unless one was chosen already.
function(tq_choose_torch whose)
  foreach(folder IN LISTS ARGN)
    if(TQ_TORCH_DIR)
      return()
    endif()
    tq_probe_torch(${folder})
    if(usable)
      set(TQ_TORCH_DIR ${folder})
      set(TQ_TORCH_DIR ${folder} PARENT_SCOPE)
      set(TQ_TORCH_WHOSE "${whose}" PARENT_SCOPE)
    elseif(folder STREQUAL Torch_DIR)
      message(FATAL_ERROR "the libtorch that Torch_DIR names: ${refused}")
    else()
      message(STATUS "the libtorch in ${refused}")
    endif()
  endforeach()
endfunction()

set(TQ_TORCH_DIR)
if(TQ_WITH_TORCH)
  tq_named_torch_folders(named)
  file(GLOB pip ${PROJECT_SOURCE_DIR}/build/python/venv/lib/python3.*/site-packages/torch)
  tq_torch_folders(pip ${pip})
  tq_torch_folders(system ${CMAKE_SYSTEM_PREFIX_PATH})
  tq_choose_torch("the one that Torch_DIR or CMAKE_PREFIX_PATH names" ${named})
  tq_choose_torch("pip's, which scripts/python-env made" ${pip})
  tq_choose_torch("the system's" ${system})
  set(TQ_TORCH_MISSING "no libtorch (scripts/python-env brings one; so does Debian's libtorch-dev)")
else()
  set(TQ_TORCH_MISSING "TQ_WITH_TORCH is off")
endif()

if(TQ_TORCH_DIR)
  tq_import_torch(${TQ_TORCH_DIR})
  message(STATUS "libtorch ${TQ_TORCH_VERSION}: ${TQ_TORCH_WHOSE} (${TQ_TORCH_DIR})")
else()
  message(STATUS "TransferQueue::torch, its tests and the tutorials are left out: ${TQ_TORCH_MISSING}")
endif()

# Stands in for a test that wants libtorch: shown as skipped where one is wanted but missing, left out where none is.
function(tq_test_without_torch name label)
  if(TQ_WITH_TORCH)
    add_test(NAME ${name} COMMAND sh -c "echo 'skipped: ${TQ_TORCH_MISSING}'; exit 77")
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS ${label})
  endif()
endfunction()
