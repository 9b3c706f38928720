# SPDX-License-Identifier: Apache-2.0
VERSION = "0.1.0"  # of the program tq that belongs to this package, CMakeLists.txt's
