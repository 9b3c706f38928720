// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "cli/client_options.h"
#include "cli/commands.h"
#include "cli/doctor_checks.h"
#include "cli/exit_code.h"
#include "cli/json_value.h"
#include "cli/settings_file.h"

namespace tq::cli {
namespace {

struct DoctorSettings {
  ClientSettings client;
  bool json = false;
};

const char* name_of(Finding::Level level) {
  switch (level) {
    case Finding::Level::kOk:
      return "ok";
    case Finding::Level::kWarning:
      return "warning";
    case Finding::Level::kProblem:
      break;
  }
  return "problem";
}

void print_json(const Findings& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"level", name_of(finding.level)},
                    {"subject", finding.subject},
                    {"text", finding.text},
                    {"advice", finding.advice}});
  }
  fmt::print("{}", json_text(list));
}

void print_text(const Findings& findings) {
  size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.subject.size());
  for (const Finding& finding : findings) {
    fmt::print("{:<7}  {:<{}}  {}\n", name_of(finding.level), finding.subject, width, finding.text);
    if (!finding.advice.empty()) fmt::print("{:<7}  {:<{}}  > {}\n", "", "", width, finding.advice);
  }
}

int run_doctor(const CLI::App& program, const Start& start, const DoctorSettings& settings) {
  const zmtp::CurvePointer curve = keys_of(settings.client);
  Findings findings;
  const AddressFiles nodes = check_addresses(settings.client.info_dir, findings);
  check_nodes(nodes, settings.client.deadline(), curve, findings);
  check_machine(findings);
  check_settings(program, start.file ? start.file->warnings() : std::vector<std::string>(),
                 findings);
  settings.json ? print_json(findings) : print_text(findings);
  const auto is_problem = [](const Finding& f) { return f.level == Finding::Level::kProblem; };
  return std::any_of(findings.begin(), findings.end(), is_problem) ? kFailed : kOk;
}

}  // namespace

Run add_doctor(CLI::App& program, const std::shared_ptr<const Start>& start) {
  auto settings = std::make_shared<DoctorSettings>();
  CLI::App* command = program.add_subcommand(
      "doctor",
      "Look for what is wrong: address files, a round trip to every node, versions, room, this "
      "machine's limits, environment variables. Says for each finding what to do.");
  add_client_options(*command, settings->client)->required();
  command->add_flag("--json", settings->json, "Print [{level, subject, text, advice}] as JSON");
  command->footer(
      "Example: tq doctor --info-dir /run/tq\n"
      "Exit status 1 when there is a problem; a warning is none.");
  return [settings, &program, start] { return run_doctor(program, *start, *settings); };
}

}  // namespace tq::cli
