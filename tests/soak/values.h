// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transfer_queue/column.h"

/// What the soak puts: columns that follow from a sample's key and a version, so that whoever reads
/// a sample can tell whether each byte is right, without having seen the put. tests/soak/values.py
/// is the same for Python's client.
///
///   x     int64 [rows, width], dense    x[0] is the version, the others are drawn from key,
///   version y     int64 [rows, any], jagged     the same with another salt; its length is drawn as
///   well note  text                          KEY@VERSION
namespace tq::soak {

/// The columns of one put, all of one version.
Batch columns_of(const std::vector<std::string>& keys, int64_t version, size_t width);

/// Empty when row i of all columns is keys[i]'s, of one version of `versions` (of any, when there
/// are none); else a sentence that says what is wrong.
std::string wrong_in(const Batch& batch, const std::vector<std::string>& keys,
                     const std::vector<int64_t>& versions);

/// The keys that the rows themselves name, by their notes; empty texts where there is none.
std::vector<std::string> keys_in(const Batch& batch);

}  // namespace tq::soak
