# SPDX-License-Identifier: Apache-2.0
# What find_package(TransferQueue) finds, in the build tree (CMAKE_PREFIX_PATH=build/release) and after
# `cmake --install build/release --prefix P` (CMAKE_PREFIX_PATH=P): TransferQueue::core, TransferQueue::nodes and, where
# libtorch was found, TransferQueue::torch. A program built with sanitizers cannot use archives without, nor the other way round, so there
# is no package of such a build.
if(TQ_SANITIZE)
  message(STATUS "no CMake package: this is a build with sanitizers")
  return()
endif()

include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/TransferQueue)
set(build_folder ${CMAKE_BINARY_DIR}/cmake)

configure_package_config_file(cmake/TransferQueueConfig.cmake.in
                              ${build_folder}/TransferQueueConfig.cmake
                              INSTALL_DESTINATION ${package_folder}
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${build_folder}/TransferQueueConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
configure_file(cmake/TransferQueueFindTorch.cmake ${build_folder} COPYONLY)
foreach(file IN ITEMS Config ConfigVersion FindTorch)
  install(FILES ${build_folder}/TransferQueue${file}.cmake DESTINATION ${package_folder})
endforeach()

function(tq_export target set)
  install(TARGETS ${target} EXPORT ${set} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT ${set} NAMESPACE TransferQueue:: DESTINATION ${package_folder})
  export(EXPORT ${set} NAMESPACE TransferQueue:: FILE ${build_folder}/${set}.cmake)
endfunction()

tq_export(tq_core TransferQueueCore)
tq_export(tq_node_library TransferQueueNodes)
set(no_torch_header PATTERN torch.h EXCLUDE)
if(TQ_TORCH_DIR)
  tq_export(tq_torch TransferQueueTorch)
  set(no_torch_header)
endif()
install(DIRECTORY include/transfer_queue DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN *.h PATTERN *.def ${no_torch_header})
# For who builds without CMake: pkg-config transfer_queue. The file finds its prefix from where it lies.
file(RELATIVE_PATH TQ_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" TQ_PC_UP "${TQ_PC_UP}")
configure_file(cmake/transfer_queue.pc.in ${build_folder}/transfer_queue.pc @ONLY)
install(FILES ${build_folder}/transfer_queue.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(shell_files ${CMAKE_BINARY_DIR}/share)
install(FILES ${shell_files}/tq.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME tq)
install(FILES ${shell_files}/_tq DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${shell_files}/tq.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(TARGETS tq RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
include(TqDeb)
