# SPDX-License-Identifier: Apache-2.0
# `cpack -G DEB` in the build folder: one Debian package of what `cmake --install` installs, with systemd's units.
install(FILES packaging/systemd/tq.service packaging/systemd/tq-storage@.service
        DESTINATION lib/systemd/system COMPONENT deb EXCLUDE_FROM_ALL)
install(FILES packaging/tq.yaml DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/transferqueue-cpp
        COMPONENT deb EXCLUDE_FROM_ALL)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/transferqueue-cpp RENAME copyright
        COMPONENT deb EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME transferqueue-cpp)
set(CPACK_PACKAGE_VENDOR "TransferQueue in C++")
set(CPACK_PACKAGE_CONTACT "the maintainers of TransferQueue in C++ <maintainers@users.noreply.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "nodes and client of TransferQueue, in C++")
set(CPACK_PACKAGE_DESCRIPTION
    "The controller and the storage units that carry the data of reinforcement-learning
post-training, for the clients of the Python package TransferQueue; the program tq to run them and
to look at them; the C++ client.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
# Every library that the program links, in the versions that it was linked with.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Who builds on the client needs the headers of these.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libfmt-dev, libspdlog-dev, libsodium-dev, pkg-config")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/debian/postinst
    ${PROJECT_SOURCE_DIR}/packaging/debian/prerm ${PROJECT_SOURCE_DIR}/packaging/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_TQ_STRIP ${CMAKE_STRIP})
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/TqStripArchives.cmake)
set(CPACK_COMPONENTS_ALL Unspecified deb)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
include(CPack)
