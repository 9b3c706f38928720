// SPDX-License-Identifier: Apache-2.0
// The file of a checkpoint as bytes: what is written is read, and what a stranger wrote costs
// nothing.
#include "checkpoint/reader.h"
#include "checkpoint/writer.h"
#include "support/catch.h"
#include "transfer_queue/error.h"
#include "wire/encode.h"

namespace tq::checkpoint {
namespace {

using wire::Map;
using wire::Value;

std::string number(uint64_t value, size_t bytes) {
  std::string encoded;
  for (size_t i = 0; i < bytes; ++i) encoded += static_cast<char>(value >> (8 * i));
  return encoded;
}

std::string preamble() { return std::string(kMagic) + number(1, 4) + number(2, 4); }

std::string sentence_of(const std::string& file) {
  MemorySource source(file, "f.pkl");
  try {
    Reader reader(source, Kind::kStorageUnit, wire::Limits{});
    while (reader.next()) {
    }
  } catch (const Error& error) {
    return error.what();
  }
  return "it was read";
}

TEST_CASE("checkpoint file: sections come back in order, with their buffers") {
  std::string file;
  Writer writer(Kind::kStorageUnit, [&](std::string_view bytes) { file += bytes; });
  wire::Encoder encoder;
  encoder.map(1);
  encoder.str("x");
  // A buffer that lies in pieces, one of them larger than the writer's own.
  const Slice small = Slice::copy_of("0123456789");
  const Slice large = Slice::own(std::string(3 << 20, 'x'));
  encoder.tensor(wire::DType::uint8, {(3 << 20) + 20}, std::vector<Slice>{small, large, small});
  writer.section(Tag::kRows, encoder.finish());
  writer.section(Tag::kSamples, wire::Frames(wire::encode_value(Value("text"))));
  const Summary summary = writer.finish();
  CHECK(summary.size_bytes == file.size());

  MemorySource source(file);
  Reader reader(source, Kind::kStorageUnit, wire::Limits{});
  auto section = reader.next();
  REQUIRE(section);
  CHECK(section->tag == Tag::kRows);
  const auto* tensor = section->value.find("x")->get_if<wire::Tensor>();
  REQUIRE(tensor != nullptr);
  CHECK(tensor->data.view() == "0123456789" + std::string(3 << 20, 'x') + "0123456789");
  section = reader.next();
  REQUIRE(section);
  CHECK(section->tag == Tag::kSamples);
  CHECK(*section->value.get_if<std::string>() == "text");
  CHECK_FALSE(reader.next());
  CHECK(reader.summary() == summary);
  CHECK(summary.checksum_text().substr(0, 5) == "xxh3:");
}

TEST_CASE("checkpoint file: what is announced and not there costs no memory") {
  const std::string huge = number(uint64_t{1} << 62, 8);
  const std::string rows = number(3, 4);
  CHECK(sentence_of(preamble() + rows + number(1, 4) + huge + huge).find("does not fit") !=
        std::string::npos);
  CHECK(
      sentence_of(preamble() + rows + number(0xFFFFFFFF, 4) + number(0, 8)).find("does not fit") !=
      std::string::npos);
  CHECK(sentence_of(preamble() + rows + number(2, 4) + number(8, 8) + number(9, 8) + number(0, 8) +
                    std::string(100, 'x'))
            .find("do not add up") != std::string::npos);
  CHECK(sentence_of(preamble() + rows + number(1, 4) + number(8, 8) + number(7, 8) +
                    std::string(100, 'x'))
            .find("do not add up") != std::string::npos);
}

TEST_CASE("checkpoint file: an end that is none") {
  std::string file;
  Writer writer(Kind::kStorageUnit, [&](std::string_view bytes) { file += bytes; });
  writer.finish();
  CHECK(sentence_of(file) == "it was read");
  CHECK(sentence_of(file + file).find("after the end") != std::string::npos);
  CHECK(sentence_of(preamble()).find("cut off") != std::string::npos);
}

TEST_CASE("checkpoint file: what no reader would take is not written") {
  Writer writer(Kind::kStorageUnit, [](std::string_view) {});
  wire::Frames frames((size_t{4} << 20) + 1, Slice::copy_of("x"));
  CHECK_THROWS_AS(writer.section(Tag::kRows, std::move(frames)), Error);
}

}  // namespace
}  // namespace tq::checkpoint
