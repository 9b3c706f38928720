// SPDX-License-Identifier: Apache-2.0
// The file of a node's checkpoint, of a controller or a unit by its first byte: a state or an
// error. Checksums are made right first, for no fuzzer guesses one.
#include <cstring>
#include <string>

#include "checkpoint/checksum.h"
#include "controller/state_file.h"
#include "fuzz/fuzz_limits.h"
#include "storage/store_file.h"
#include "storage/store_summary.h"

namespace {

using namespace tq;

constexpr size_t kPreambleBytes = checkpoint::kMagic.size() + 8;

template <class T>
T number_at(const std::string& file, size_t place) {
  T number;
  std::memcpy(&number, file.data() + place, sizeof number);
  return number;
}

// Puts the right checksum behind each section, as far as sections can be followed.
void repair(std::string& file) {
  if (file.size() < kPreambleBytes) return;
  checkpoint::Checksum checksum;
  size_t done = 0;
  const auto add_up_to = [&](size_t end) {
    checksum.add(std::string_view(file).substr(done, end - done));
    done = end;
  };
  for (size_t at = kPreambleBytes; file.size() - at >= 24;) {
    const auto frames = number_at<uint32_t>(file, at + 4);
    const auto bytes = number_at<uint64_t>(file, at + 8);
    const size_t left = file.size() - at - 24;
    if (frames > left / 8 || bytes > left - size_t{frames} * 8) return;
    const size_t end = at + 16 + size_t{frames} * 8 + bytes;
    add_up_to(end);
    const uint64_t value = checksum.value();
    std::memcpy(file.data() + end, &value, sizeof value);
    add_up_to(end + 8);
    at = end + 8;
  }
}

// What was read is written and read again.
void read_unit(const std::string& file, const storage::Share& share) {
  checkpoint::MemorySource source(file);
  checkpoint::Reader reader(source, checkpoint::Kind::kStorageUnit, test::fuzz_limits());
  storage::Store store({4096, 64 << 20}, test::fuzz_limits());
  storage::read_store(reader, {}, share, store);
  std::string written;
  checkpoint::Writer writer(checkpoint::Kind::kStorageUnit,
                            [&](std::string_view bytes) { written += bytes; });
  storage::write_store(store.snapshot(), "unit", writer);
  writer.finish();
  checkpoint::MemorySource again(written);
  checkpoint::Reader rereader(again, checkpoint::Kind::kStorageUnit, wire::Limits{});
  storage::StoreSummary summary;
  storage::summarize_store(rereader, summary);
  test::require(static_cast<size_t>(summary.samples) == store.active_keys());
}

void summarize_unit(const std::string& file) {
  checkpoint::MemorySource source(file);
  checkpoint::Reader reader(source, checkpoint::Kind::kStorageUnit, test::fuzz_limits());
  storage::StoreSummary summary;
  storage::summarize_store(reader, summary);
}

void read_controller(const std::string& file) {
  controller::ControllerConfig config;
  config.limits = test::fuzz_limits();
  checkpoint::MemorySource source(file);
  checkpoint::Reader reader(source, checkpoint::Kind::kController, config.limits);
  controller::State state(config, nullptr, SamplerRegistry::built_in());
  state.restore(controller::read_state(reader, config, {}));
  std::string written;
  checkpoint::Writer writer(checkpoint::Kind::kController,
                            [&](std::string_view bytes) { written += bytes; });
  for (const auto& [tag, section] : controller::encode_state(state, {}))
    writer.section(tag, section);
  writer.finish();
  checkpoint::MemorySource again(written);
  checkpoint::Reader rereader(again, checkpoint::Kind::kController, wire::Limits{});
  const controller::SavedState back = controller::read_state(rereader, config, {});
  test::require(back.partitions.size() == state.partitions.size());
}

template <class Read>
bool try_to(Read&& read) {
  try {
    read();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] & 1) repair(file);
  if (data[0] & 2) {
    try_to([&] { read_controller(file); });
    return 0;
  }
  const bool loads = try_to([&] { read_unit(file, {}); });
  if (!loads) try_to([&] { read_unit(file, {1, 2}); });
  const bool summarizes = try_to([&] { summarize_unit(file); });
  test::require(!loads || summarizes);  // what a unit takes, `tq ckpt show` calls fine
  return 0;
}
