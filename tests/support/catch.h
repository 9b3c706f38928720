// SPDX-License-Identifier: Apache-2.0
#pragma once

// Catch2 2 (Debian 12) and Catch2 3 (elsewhere) under one name.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
