// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "transfer_queue/value.h"

/// numpy's .npy files (numpy.lib.format, versions 1 to 3).
namespace tq::cli {

/// The array of a file: little-endian, C order, of a dtype that torch has. Throws Error(kNotFound)
/// when it cannot be read, Error(kInvalidArgument) with what to do for any other content.
Tensor read_npy(const std::filesystem::path& file);

/// Writes a tensor so that numpy.load reads it. numpy has no bfloat16 or float8: those become void
/// types of the same size ('V2', 'V1'), as the package ml_dtypes writes them. The file is there
/// whole or not at all. Throws Error(kUnavailable).
void write_npy(const std::filesystem::path& file, const Tensor& tensor);
/// The same for an array that came from numpy.
void write_npy(const std::filesystem::path& file, const NdArray& array);

}  // namespace tq::cli
