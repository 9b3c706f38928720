# SPDX-License-Identifier: Apache-2.0
# Where libtorch may be, and how to import exactly one; for the build and for find_package(TransferQueue).

# tq_torch_folders(OUT PREFIX...): the folders below the prefixes that have a TorchConfig.cmake, in order.
function(tq_torch_folders out)
  set(folders)
  foreach(prefix IN LISTS ARGN)
    foreach(folder IN ITEMS share/cmake/Torch Torch lib/cmake/Torch
                            lib/${CMAKE_LIBRARY_ARCHITECTURE}/cmake/Torch)
      if(EXISTS ${prefix}/${folder}/TorchConfig.cmake)
        list(APPEND folders ${prefix}/${folder})
      endif()
    endforeach()
  endforeach()
  set(${out} ${folders} PARENT_SCOPE)
endfunction()

# tq_named_torch_folders(OUT): those that the user names, by Torch_DIR or CMAKE_PREFIX_PATH.
function(tq_named_torch_folders out)
  file(TO_CMAKE_PATH "$ENV{CMAKE_PREFIX_PATH}" environment)
  tq_torch_folders(folders ${CMAKE_PREFIX_PATH} ${environment})
  if(Torch_DIR)
    list(PREPEND folders ${Torch_DIR})
  endif()
  set(${out} ${folders} PARENT_SCOPE)
endfunction()

# tq_import_torch(FOLDER): makes the imported target `torch` of the libtorch whose TorchConfig.cmake lies in FOLDER, and
# sets TQ_TORCH_VERSION; no target where that fails. A function, so that all the variables that TorchConfig.cmake sets
# end with it. Link `torch`, never TORCH_LIBRARIES: that may name another libtorch's libc10, and a program that has both
# aborts at its start.
function(tq_import_torch folder)
  set(named "$CACHE{Torch_DIR}")
  foreach(cached IN ITEMS Torch_DIR TORCH_LIBRARY c10_LIBRARY kineto_LIBRARY)
    unset(${cached} CACHE)  # an earlier run may have found another libtorch
  endforeach()
  # Else TorchConfig.cmake takes the system's, if there is one, now and in a later find_package(Torch).
  get_filename_component(caffe2 ${folder}/../Caffe2 ABSOLUTE)
  set(Caffe2_DIR ${caffe2} CACHE PATH "Belongs to the libtorch that is used" FORCE)
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # it warns of static libraries that nobody needs
  find_package(Torch CONFIG QUIET PATHS ${folder} NO_DEFAULT_PATH)
  unset(Torch_DIR CACHE)  # what we chose must not look like the user's wish in the next run
  if(named)
    set(Torch_DIR ${named} CACHE PATH "Folder of the TorchConfig.cmake to use")
  endif()
  set(TQ_TORCH_VERSION ${Torch_VERSION} PARENT_SCOPE)
endfunction()
