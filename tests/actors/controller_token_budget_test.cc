// SPDX-License-Identifier: Apache-2.0
// StreamingTokenBudgetSampler at a controller. The batches of the cases "as the fork" are what the
// fork's class chose for the same history.
#include "actors/controller_fixture.h"

namespace tq::test {
namespace {

using Catch::Matchers::Contains;
using Indexes = std::vector<int64_t>;
using Batches = std::vector<std::vector<Indexes>>;  // by batch index, then by rank

constexpr std::array<int64_t, 12> kTokens = {7, 100, 5, 40, 60, 3, 90, 20, 11, 30, 70, 50};

/// Samples of partition "p", and ranks that fetch them.
class Stream {
 public:
  explicit Stream(const wire::Map& arguments, bool polling = true)
      : fixture_(config(polling),
                 SamplerRegistry::built_in().make("StreamingTokenBudgetSampler", arguments)) {}

  static controller::ControllerConfig config(bool polling) {
    controller::ControllerConfig config = ControllerFixture::no_rest();
    config.polling_mode = polling;
    return config;
  }
  ControllerFixture& fixture() { return fixture_; }

  Stream& add(int64_t count, const std::function<std::optional<int64_t>(int64_t)>& tokens_of) {
    const Indexes added = fixture_.insert("p", count);
    for (const int64_t index : added) {
      const std::optional<int64_t> tokens = tokens_of(index);
      if (!tokens) continue;
      fixture_.body_of<wire::SetCustomMetaResponse>(
          wire::SetCustomMeta{{{"p", {{index, wire::Map{{"total_lengths", *tokens}}}}}}});
    }
    fixture_.produce("p", added);
    return *this;
  }
  Stream& add(int64_t count) {
    return add(count, [](int64_t index) { return kTokens[static_cast<size_t>(index) % 12]; });
  }

  static wire::GetMeta request(wire::Map config) {
    wire::GetMeta fetch = ControllerFixture::fetch_of("p", 1);
    config.emplace_back("task_name", "task");
    config.emplace_back("partition_id", "p");
    fetch.sampling_config = std::move(config);
    return fetch;
  }
  static wire::GetMeta request(int64_t rank, std::optional<int64_t> batch_index, int64_t budget,
                               int64_t ranks, std::optional<bool> done = false) {
    wire::Map config{{"token_budget", budget}, {"dp_rank", rank}, {"dp_size", ranks}};
    if (batch_index) config.emplace_back("batch_index", *batch_index);
    if (done) config.emplace_back("production_done", *done);
    return request(std::move(config));
  }
  Indexes ask(const wire::GetMeta& fetch) {
    return fixture_.batch_of<wire::GetMetaResponse>(fetch).at("global_indexes");
  }
  template <class... Arguments>
  Indexes ask(int64_t rank, Arguments... arguments) {
    return ask(request(rank, arguments...));
  }
  /// All ranks ask for one batch index after the other.
  Batches in_turn(int64_t batches, int64_t budget, int64_t ranks, bool done = false) {
    Batches all;
    for (int64_t i = 0; i < batches; ++i) {
      std::vector<Indexes>& of_index = all.emplace_back();
      for (int64_t rank = 0; rank < ranks; ++rank) {
        of_index.push_back(ask(rank, std::optional(i), budget, ranks, std::optional(done)));
      }
    }
    return all;
  }

 private:
  ControllerFixture fixture_;
};

wire::Map groups_of(int64_t n) { return {{"n_samples_per_prompt", n}}; }

TEST_CASE("token budget: batches as the fork") {
  CHECK(Stream(groups_of(2)).add(12).in_turn(4, 100, 2) ==
        Batches{{{1}, {0, 3}}, {{2, 5, 6}, {4, 7}}, {{8, 10}, {9, 11}}, {{}, {}}});
  CHECK(Stream({{"balance_unit_multiplier", 3}}).add(12).in_turn(5, 100, 2) ==
        Batches{{{0}, {2, 3}}, {{1}, {4, 8}}, {{5, 6}, {10}}, {{7, 9}, {11}}, {{}, {}}});
  CHECK(Stream({{"n_samples_per_prompt", 2}, {"balance_unit_multiplier", 4}})
            .add(4)
            .in_turn(2, 1000, 2) == Batches{{{1, 2}, {0, 3}}, {{}, {}}});
}

TEST_CASE("token budget: the end of the production deals out the rest, as the fork") {
  CHECK(Stream(groups_of(2)).add(11).in_turn(4, 100, 2, true) ==
        Batches{{{1}, {0, 3}}, {{2, 5, 6}, {4, 7, 8}}, {{10}, {9}}, {{}, {}}});
  CHECK(
      Stream(groups_of(3)).add(14).in_turn(4, 120, 3, true) ==
      Batches{
          {{2, 6, 7}, {1, 5, 8}, {0, 3, 4}}, {{10, 12}, {11}, {9}}, {{}, {13}, {}}, {{}, {}, {}}});
  Stream incomplete(groups_of(2));
  incomplete.add(3);
  CHECK(incomplete.in_turn(1, 1000, 2) == Batches{{{1}, {0}}});
  CHECK(incomplete.in_turn(2, 1000, 2, true) == Batches{{{1}, {0}}, {{2}, {}}});
}

TEST_CASE("token budget: unknown and oversized samples, as the fork") {
  const auto two_known = [](int64_t index) {
    return index < 2 ? std::optional(10 + 10 * index) : std::nullopt;
  };
  CHECK(Stream(groups_of(2))
            .add(4,
                 [&](int64_t i) {
                   return i == 0   ? std::optional<int64_t>(10)
                          : i == 3 ? std::optional<int64_t>(20)
                                   : std::nullopt;
                 })
            .in_turn(3, 50, 2, true) == Batches{{{1}, {0}}, {{3}, {2}}, {{}, {}}});
  CHECK(Stream({}).add(2, two_known).in_turn(2, 5, 1) == Batches{{{0}}, {{1}}});
}

TEST_CASE("token budget: without a batch index a rank gets its batch once, as the fork") {
  Stream stream(groups_of(2));
  stream.add(8);
  std::vector<Indexes> got;
  for (const int64_t rank : {0, 1, 0, 1, 0, 1})
    got.push_back(stream.ask(rank, std::nullopt, 100, 2));
  CHECK(got == std::vector<Indexes>{{1}, {0, 3}, {2, 5, 6}, {4, 7}, {}, {}});

  Stream whole(groups_of(2));
  whole.add(6);
  wire::Map config{{"token_budget", 1000}, {"dp_rank", 0}, {"dp_size", 2}};
  wire::Map no_underfill = config;
  no_underfill.emplace_back("allow_underfill", false);
  CHECK(whole.ask(Stream::request(no_underfill)).empty());
  CHECK(whole.ask(Stream::request(config)) == Indexes{1, 2});
}

TEST_CASE("token budget: without a budget it groups as GRPOGroupNSampler does") {
  Stream stream(groups_of(2));
  stream.add(5);
  wire::GetMeta fetch = Stream::request(wire::Map{{"dp_size", 2}});
  fetch.batch_size = 4;
  CHECK(stream.ask(fetch) == Indexes{0, 1, 2, 3});
}

TEST_CASE("token budget: all who share a rank and a batch index get the same") {
  Stream stream(groups_of(2));
  stream.add(8);
  const Indexes first = stream.ask(0, 0, 100, 2);
  stream.add(4);
  CHECK(stream.ask(0, 0, 100, 2) == first);
}

TEST_CASE("token budget: what is kept for a slow rank goes to no other") {
  Stream stream(groups_of(2));
  stream.add(8, [](int64_t) { return 50; });
  std::vector<Indexes> got;
  for (const int64_t rank : {0, 1}) {
    for (const int64_t batch : {0, 1, 2}) got.push_back(stream.ask(rank, batch, 50, 2));
  }
  CHECK(got == std::vector<Indexes>{{0}, {3}, {4}, {1}, {2}, {5}});
}

TEST_CASE("token budget: a rank without a batch gets one as soon as there is something") {
  Stream stream({});
  stream.add(3, [](int64_t index) { return index == 0 ? 50 : 10; });
  CHECK(stream.ask(0, 0, 100, 2) == Indexes{0});  // of two, for two ranks; the third must wait
  CHECK(stream.ask(1, 0, 100, 2) == Indexes{1});
  CHECK(stream.ask(0, 1, 100, 2).empty());
  stream.add(1);
  CHECK(stream.ask(0, 1, 100, 2).size() == 1);
  CHECK(stream.ask(1, 1, 100, 2).size() == 1);
}

TEST_CASE("token budget: a fetch waits until there is something, and gets an empty batch at last") {
  Stream stream(groups_of(2), /*polling=*/false);
  stream.add(1);
  ControllerFixture& fixture = stream.fixture();
  auto waiting = fixture.wait(Stream::request(0, 0, 100, 1));
  auto in_vain = fixture.wait(Stream::request(0, 1, 100, 1));
  stream.add(1);
  const Json reply = ControllerFixture::decoded(fixture.offer(waiting));
  CHECK(reply.at("body").at("metadata").at("$batchmeta").at("global_indexes") == Json({0}));
  fixture.advance(5);
  const Json second = ControllerFixture::decoded(fixture.offer(in_vain));
  CHECK(second.at("body").at("metadata").at("$batchmeta").at("global_indexes") == Json({1}));
  auto for_ever = fixture.wait(Stream::request(0, 2, 100, 1));
  fixture.advance(5);
  const Json last = ControllerFixture::decoded(fixture.offer(for_ever));
  CHECK(last.at("body").at("metadata").at("$batchmeta").at("_size") == 0);
}

TEST_CASE("token budget: unless the client says so, production ends when all is produced") {
  controller::ControllerConfig config = Stream::config(true);
  config.pre_alloc_samples = 4;
  ControllerFixture fixture(
      config, SamplerRegistry::built_in().make("StreamingTokenBudgetSampler", groups_of(2)));
  const auto add = [&](int64_t count) {
    for (const int64_t index : fixture.insert("p", count)) {
      fixture.body_of<wire::SetCustomMetaResponse>(
          wire::SetCustomMeta{{{"p", {{index, wire::Map{{"total_lengths", 10}}}}}}});
      fixture.produce("p", {index});
    }
  };
  add(3);  // the fourth is expected still
  const auto size_of = [&](int64_t batch) {
    return fixture.batch_of<wire::GetMetaResponse>(Stream::request(0, batch, 1000, 1, std::nullopt))
        .at("_size");
  };
  CHECK(size_of(0) == 2);  // a group
  CHECK(size_of(1) == 0);
  fixture.clear("p", {2});
  add(1);
  CHECK(size_of(1) == 1);  // no group, but the rest
}

TEST_CASE("token budget: a sample that was cleared is not handed out of a bucket") {
  Stream stream(groups_of(2));
  stream.add(4, [](int64_t) { return 50; });
  CHECK(stream.ask(0, 0, 50, 1) == Indexes{0});
  stream.fixture().clear("p", {1});
  CHECK(stream.ask(0, 1, 50, 1) == Indexes{2});
}

TEST_CASE("token budget: bad arguments are refused by name, and nothing is consumed") {
  Stream stream(groups_of(2));
  stream.add(4);
  const auto refusal = [&](const wire::Map& config) {
    return stream.fixture().error_of(Stream::request(config));
  };
  CHECK_THAT(refusal({{"token_budget", 100}}), Contains("must have 'dp_rank'"));
  CHECK_THAT(refusal({{"token_budget", 100}, {"dp_rank", 0}}), Contains("must have 'dp_size'"));
  const auto of = [&](const wire::Value& budget, const wire::Value& rank,
                      const wire::Value& ranks) {
    return refusal({{"token_budget", budget}, {"dp_rank", rank}, {"dp_size", ranks}});
  };
  CHECK_THAT(of(0, 0, 1), Contains("token_budget must be positive, got 0"));
  CHECK_THAT(of("much", 0, 1), Contains("'token_budget' must be an int, got str"));
  CHECK_THAT(of(100, 2, 2), Contains("dp_rank must be from 0 to 1 with dp_size 2, got 2"));
  CHECK_THAT(of(100, -1, 2), Contains("got -1"));
  CHECK_THAT(of(100, 0, 0), Contains("dp_size must be positive"));
  CHECK_THAT(of(100, 0, INT64_MAX), Contains("dp_size must be positive and at most"));
  CHECK_THAT(refusal({{"token_budget", 100}, {"dp_rank", 0}, {"dp_size", 1}, {"batch_index", "x"}}),
             Contains("'batch_index' must be an int"));
  CHECK_THAT(refusal({{"token_budget", 9},
                      {"dp_rank", 0},
                      {"dp_size", 1},
                      {"batch_index", 0},
                      {"allow_underfill", "no"}}),
             Contains("must be bools, got str"));
  CHECK(stream.fixture().consumption("p") == std::vector<int>{0, 0, 0, 0});
  CHECK(stream.ask(0, 0, 100, 1) ==
        Indexes{0});  // nor is anything left in a bucket for another rank
}

TEST_CASE("token budget: a length that is none is refused, and names the sample") {
  Stream stream(groups_of(2));
  stream.add(2);
  stream.fixture().body_of<wire::SetCustomMetaResponse>(
      wire::SetCustomMeta{{{"p", {{1, wire::Map{{"total_lengths", "long"}}}}}}});
  CHECK_THAT(stream.fixture().error_of(Stream::request(0, 0, 100, 1)),
             Contains("custom_meta['total_lengths'] of sample 1 must be a number, got str"));
}

}  // namespace
}  // namespace tq::test
