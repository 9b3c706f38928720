// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tq::test {

/// What a hostile, broken or confused peer sends: recorded messages of one kind of node, damaged at
/// random. The seed decides everything. Frames stay below what a connection may carry, so that each
/// message comes to its node and must get a reply.
class Mutator {
 public:
  using Message = std::vector<std::string>;

  /// `marker` is a file that the pickles in here create where they are run.
  Mutator(uint64_t seed, std::vector<Message> recorded, const std::string& marker);

  Message next();

 private:
  size_t below(size_t bound) { return static_cast<size_t>(random_() % bound); }
  const Message& any() { return recorded_[below(recorded_.size())]; }
  std::string& some_frame(Message& message) { return message[below(message.size())]; }

  void flip(std::string& bytes);
  void cut(std::string& bytes);
  void splice(std::string& bytes);
  void shuffle(Message& message);
  void claim_huge(std::string& bytes);
  void nest_deeply(std::string& bytes);
  void blow_up(std::string& bytes);
  void put_pickle_into(std::string& bytes);
  Message random_bytes();

  std::mt19937_64 random_;
  const std::vector<Message> recorded_;
  std::vector<std::string> pickles_;
};

}  // namespace tq::test
