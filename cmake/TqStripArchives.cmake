# SPDX-License-Identifier: Apache-2.0
# CPack runs this on the files of a package before it makes it. CPACK_STRIP_FILES strips programs; of the archives, too,
# nobody needs the debugging symbols, which are seven eighths of them.
file(GLOB_RECURSE archives ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*.a)
foreach(archive IN LISTS archives)
  execute_process(COMMAND ${CPACK_TQ_STRIP} --strip-debug ${archive} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
