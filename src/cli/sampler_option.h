// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "transfer_queue/sampler.h"

namespace tq::cli {

/// The sampler that `--sampler NAME[,ARGUMENT=NUMBER]...` asks for. Throws Error(kInvalidArgument).
std::unique_ptr<Sampler> make_sampler(const std::string& text);
/// Why a text asks for no sampler; empty when it does.
std::string sampler_problem(const std::string& text);

}  // namespace tq::cli
