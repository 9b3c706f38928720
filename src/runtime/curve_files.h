// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "zmtp/curve_keys.h"

namespace tq::runtime {

/// Writes a key pair to FILE, which only its owner may read, and its public key to FILE.pub. Throws
/// Error(kInvalidArgument) where one of them is there, unless told to `replace` it;
/// Error(kUnavailable) where they cannot be written.
void write_curve_files(const std::filesystem::path& file, const zmtp::CurveKeyPair& pair,
                       bool replace);
/// Where write_curve_files puts the public key of FILE.
std::filesystem::path public_key_file(const std::filesystem::path& file);

// These throw Error(kNotFound) for a file that cannot be read, Error(kInvalidArgument) for other
// content, each with the path and what to do. No error quotes what a file of secrets holds.

/// A key pair; also refused where others than its owner may read it.
zmtp::CurveKeyPair read_curve_pair(const std::filesystem::path& file);
/// The one public key of a file.
zmtp::CurvePublicKey read_curve_public_key(const std::filesystem::path& file);
/// The public keys of a file, one a line, or of all files of a folder that end with .pub. At least
/// one.
std::vector<zmtp::CurvePublicKey> read_curve_clients(const std::filesystem::path& file_or_folder);

/// A setting that names a file, and what the user calls it.
struct CurveSetting {
  const char* name;  // "--curve-key"
  std::filesystem::path path;
};

/// A node's side; nullptr where neither is set. Throws Error(kInvalidArgument) where only one is:
/// nodes that talk to whoever knows their public key must not come of something forgotten.
zmtp::CurvePointer node_curve(const CurveSetting& key, const CurveSetting& clients);
/// A client's side, in the same way.
zmtp::CurvePointer client_curve(const CurveSetting& key, const CurveSetting& server_key);

/// For a client of a node's own process.
zmtp::CurvePointer client_of(const zmtp::CurvePointer& node);

}  // namespace tq::runtime
