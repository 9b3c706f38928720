// SPDX-License-Identifier: Apache-2.0
#include "storage/store_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "transfer_queue/error.h"
#include "wire/unpack.h"

namespace tq::storage {
namespace {

using checkpoint::Reader;
using checkpoint::Section;
using checkpoint::Tag;
using checkpoint::Writer;

// A section is read whole before it is decoded, so it is no larger than a large message; a single
// row may be.
constexpr size_t kSectionBytes = size_t{32} << 20;
constexpr size_t kSectionRows = 65536;
// Rows of many buffers each are written fewer at a time than kSectionRows.
constexpr size_t kSectionFrames = size_t{1} << 20;

void write_indexes(wire::Encoder& encoder, std::span<const int64_t> indexes) {
  const std::string_view bytes(reinterpret_cast<const char*>(indexes.data()), indexes.size_bytes());
  encoder.tensor(wire::DType::int64, {static_cast<int64_t>(indexes.size())},
                 wire::Slice::copy_of(bytes));
}

void write_header(const StoreSnapshot& snapshot, std::string_view unit_id, Writer& writer) {
  wire::Encoder encoder;
  encoder.map(3);
  encoder.str("unit_id");
  encoder.str(unit_id);
  encoder.str("samples");
  encoder.integer(static_cast<int64_t>(snapshot.slots.size()));
  encoder.str("fields");
  encoder.array(snapshot.fields.size());
  for (const FieldSnapshot& field : snapshot.fields) encoder.str(field.name);
  writer.section(Tag::kUnit, encoder.finish());
}

void write_samples(const std::vector<std::pair<int64_t, uint32_t>>& slots, Writer& writer) {
  std::vector<int64_t> indexes;
  for (size_t from = 0; from < slots.size(); from += kSectionRows) {
    const size_t to = std::min(slots.size(), from + kSectionRows);
    indexes.clear();
    for (size_t i = from; i < to; ++i) indexes.push_back(slots[i].first);
    wire::Encoder encoder;
    write_indexes(encoder, indexes);
    writer.section(Tag::kSamples, encoder.finish());
  }
}

// Some rows of one block, ascending by global index.
struct BlockRows {
  std::vector<int64_t> indexes;
  std::vector<uint32_t> positions;
};

// Writes rows of one block of a field, in as many sections as it takes.
class BlockWriter {
 public:
  BlockWriter(size_t field, const Rows& rows, Writer& writer)
      : field_(field), rows_(rows), writer_(writer) {}

  void write(const BlockRows& chosen) const {
    const std::span<const int64_t> indexes(chosen.indexes);
    const std::span<const uint32_t> positions(chosen.positions);
    size_t from = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < positions.size(); ++i) {
      const std::optional<SsdPlace> on_ssd = rows_.ssd_at(positions[i]);
      const size_t row_bytes = on_ssd ? on_ssd->payload_bytes : rows_.bytes_at(positions[i]);
      if (i > from && (bytes + row_bytes > kSectionBytes || i - from == kSectionRows)) {
        write_section(indexes.subspan(from, i - from), positions.subspan(from, i - from));
        from = i;
        bytes = 0;
      }
      bytes += row_bytes;
    }
    write_section(indexes.subspan(from), positions.subspan(from));
  }

 private:
  void write_section(std::span<const int64_t> indexes, std::span<const uint32_t> positions) const {
    wire::Encoder encoder;
    encoder.map(3);
    encoder.str("field");
    encoder.integer(static_cast<int64_t>(field_));
    encoder.str("global_indexes");
    write_indexes(encoder, indexes);
    encoder.str("data");
    rows_.write_column(positions, encoder);
    const wire::OutMessage section = encoder.finish();
    const size_t half = positions.size() / 2;
    if (section.frames() > kSectionFrames && half > 0) {
      write_section(indexes.first(half), positions.first(half));
      write_section(indexes.subspan(half), positions.subspan(half));
    } else {
      writer_.section(Tag::kRows, section);
    }
  }

  const size_t field_;
  const Rows& rows_;
  Writer& writer_;
};

void write_field(const StoreSnapshot& snapshot, size_t number,
                 const std::vector<std::pair<int64_t, uint32_t>>& slots, Writer& writer) {
  const FieldSnapshot& field = snapshot.fields[number];
  std::vector<BlockRows> by_block(field.blocks.size());
  for (const auto& [index, slot] : slots) {
    const std::optional<RowRef> ref = field.rows.find(slot);
    if (!ref) continue;
    by_block[ref->block].indexes.push_back(index);
    by_block[ref->block].positions.push_back(field.blocks[ref->block].position_of(ref->row));
  }
  for (size_t block = 0; block < by_block.size(); ++block) {
    if (by_block[block].indexes.empty()) continue;
    BlockWriter(number, *field.blocks[block].rows, writer).write(by_block[block]);
    by_block[block] = {};
  }
}

// Reads the sections of one file, in their order.
class StoreReader {
 public:
  StoreReader(Reader& reader, const Share& written, const Share& wanted, Store& store)
      : reader_(reader), written_(written), wanted_(wanted), store_(store) {}

  void read() {
    std::optional<Section> section = reader_.next();
    if (!section || section->tag != Tag::kUnit) reader_.fail(0, "it does not begin with a unit");
    read_header(*section);
    while ((section = reader_.next())) read_section(*section);
    if (samples_ != announced_samples_) {
      reader_.fail(0,
                   fmt::format("it announces {} samples and has {}", announced_samples_, samples_));
    }
  }

 private:
  template <class T>
  T take(Section& section, const char* name) const {
    wire::Value* value = section.value.find(name);
    if (value == nullptr) reader_.fail(section.at, fmt::format("a section has no '{}'", name));
    return unpack<T>(section, *value, name);
  }
  template <class T>
  T unpack(const Section& section, wire::Value& value, const char* name) const {
    T out{};
    try {
      wire::unpack_field(value, wire::Path{nullptr, name, std::nullopt}, reader_.limits(), out);
    } catch (const Error& error) {
      reader_.fail(section.at, error.what());
    }
    return out;
  }
  // What the store throws names no file.
  template <class F>
  void put(const Section& section, F&& f) const {
    try {
      f();
    } catch (const Error& error) {
      throw Error(error.code(), fmt::format("checkpoint {}, byte {}: {}", reader_.name(),
                                            section.at, error.what()));
    }
  }

  void read_header(Section& section) {
    fields_ = take<wire::Names>(section, "fields");
    announced_samples_ = take<int64_t>(section, "samples");
    for (const std::string& field : fields_) {  // in their order, also those without rows
      put(section, [&] { store_.put({}, wire::Map{{field, wire::Array{}}}); });
    }
  }

  void read_section(Section& section) {
    switch (section.tag) {
      case Tag::kSamples:
        return read_samples(section);
      case Tag::kRows:
        return read_rows(section);
      default:
        reader_.fail(section.at, fmt::format("a section {} does not belong here",
                                             static_cast<uint32_t>(section.tag)));
    }
  }

  void read_samples(Section& section) {
    const auto indexes = unpack<wire::Indexes>(section, section.value, "samples");
    samples_ += static_cast<int64_t>(indexes.size());
    wire::Indexes ours;
    for (size_t row : rows_of_ours(section, indexes)) ours.push_back(indexes[row]);
    put(section, [&] { store_.put(ours, wire::Map{}); });
  }

  void read_rows(Section& section) {
    const auto field = take<int64_t>(section, "field");
    if (field < 0 || static_cast<size_t>(field) >= fields_.size()) {
      reader_.fail(section.at, fmt::format("there is no field {}", field));
    }
    const auto indexes = take<wire::Indexes>(section, "global_indexes");
    wire::Value* column = section.value.find("data");
    if (column == nullptr) reader_.fail(section.at, "a section has no 'data'");
    const std::vector<uint32_t> ours = rows_of_ours(section, indexes);
    for (uint32_t row : ours) {
      if (store_.holds(indexes[row])) continue;
      reader_.fail(section.at, fmt::format("sample {} has a row, but is not listed", indexes[row]));
    }
    wire::Map columns;
    columns.emplace_back(fields_[static_cast<size_t>(field)], std::move(*column));
    if (ours.empty()) return;
    put(section, [&] { store_.put_some(indexes, std::move(columns), ours); });
  }

  // Positions of the indexes that this unit takes.
  std::vector<uint32_t> rows_of_ours(const Section& section, const wire::Indexes& indexes) const {
    std::vector<uint32_t> rows;
    rows.reserve(indexes.size());
    for (size_t i = 0; i < indexes.size(); ++i) {
      if (i > 0 && indexes[i] <= indexes[i - 1]) {
        reader_.fail(section.at, "its global indexes do not ascend");
      }
      if (!written_.has(indexes[i])) {
        reader_.fail(section.at,
                     fmt::format("sample {} is not where unit {} of {} has its samples, so another "
                                 "number of units cannot load it; load it into {} units",
                                 indexes[i], written_.unit, written_.units, written_.units));
      }
      if (wanted_.has(indexes[i])) rows.push_back(static_cast<uint32_t>(i));
    }
    return rows;
  }

  Reader& reader_;
  const Share written_;
  const Share wanted_;
  Store& store_;
  wire::Names fields_;
  int64_t announced_samples_ = 0;
  int64_t samples_ = 0;
};

}  // namespace

void write_store(const StoreSnapshot& snapshot, std::string_view unit_id, Writer& writer) {
  std::vector<std::pair<int64_t, uint32_t>> slots = snapshot.slots;
  std::sort(slots.begin(), slots.end());
  write_header(snapshot, unit_id, writer);
  write_samples(slots, writer);
  for (size_t i = 0; i < snapshot.fields.size(); ++i) write_field(snapshot, i, slots, writer);
}

void read_store(Reader& reader, const Share& written, const Share& wanted, Store& store) {
  StoreReader(reader, written, wanted, store).read();
}

}  // namespace tq::storage
