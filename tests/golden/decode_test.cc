// SPDX-License-Identifier: Apache-2.0
// Every recorded message of every release decodes to what Python decoded from the same bytes.
#include <map>

#include "support/canonical.h"
#include "support/catch.h"
#include "support/golden.h"
#include "wire/decode.h"

namespace tq::test {
namespace {

// Python's json.dumps writes a lone surrogate as an escape that is no valid JSON; the recorded text
// has one such string, which reads as the form that canonical() gives.
Json parse_recorded(std::string text) {
  static const std::string kSurrogate = "\"\\ud800\"";
  for (size_t at = text.find(kSurrogate); at != std::string::npos; at = text.find(kSurrogate)) {
    text.replace(at, kSurrogate.size(), R"({"$surrogates": "7aCA"})");  // ED A0 80
  }
  return Json::parse(text);
}

TEST_CASE("recorded messages decode to what Python saw") {
  std::map<std::string, int> by_type;
  for (const GoldenMessage& message : load_golden()) {
    INFO(message.name());
    Result<wire::Envelope> decoded = wire::decode(message.frames, wire::Limits{});
    REQUIRE((decoded.ok() ? std::string() : decoded.error().what()) == "");
    const Json expected = parse_recorded(message.json_text).at("message");
    const Json actual = canonical(*decoded);
    if (!same(expected, actual)) {
      FAIL_CHECK("expected " << expected.dump(1) << "\nactual " << actual.dump(1));
    }
    ++by_type[decoded->request_type];
  }
  CHECK(by_type.size() >= 40);  // what the vectors hold: nearly every type of 0.1.11
}

}  // namespace
}  // namespace tq::test
