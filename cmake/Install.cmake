# SPDX-License-Identifier: LGPL-2.1-or-later
# Where things go, and the Debian package.

# A system daemon: /usr unless told otherwise. cxlmemd reads its vendor files from /usr/lib/cxlmemd.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "Where cmake --install puts things" FORCE)
endif()
include(GNUInstallDirs)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cxlmemd)
set(CPACK_PACKAGE_CONTACT "The cxlmemd project <root@localhost>" CACHE STRING "Maintainer of the package")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Policy daemon for CXL memory, with a D-Bus API")
set(CPACK_PACKAGE_DESCRIPTION
  "cxlmemd brings the memory of CXL expanders online in the zone and amount\nthat policy files say, and can say why it is where it is. It comes with\ncxlmemctl, its command line.")
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "default-dbus-system-bus | dbus-system-bus")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd, udev, polkitd")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "daxctl, cxl")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_SOURCE_DIR}/units/debian/postinst
  ${CMAKE_CURRENT_SOURCE_DIR}/units/debian/prerm
  ${CMAKE_CURRENT_SOURCE_DIR}/units/debian/postrm)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/cmake/CompressMan.cmake)
include(CPack)
