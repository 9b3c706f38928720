// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "cli/command_tree.h"

namespace tq::cli {
namespace {

using Flag = CommandPage::Flag;

// Text as troff prints it: a dash that can be copied, no line that begins a request.
std::string troff(const std::string& text) {
  std::string escaped;
  bool at_line_start = true;
  for (char c : text) {
    if (at_line_start && (c == '.' || c == '\'')) escaped += "\\&";
    at_line_start = c == '\n';
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string flag_text(const Flag& flag) {
  std::string names;
  for (const std::string& name : flag.names) {
    names += fmt::format("{}\\fB{}\\fR", names.empty() ? "" : ", ", troff(name));
  }
  if (!flag.value.empty()) names += fmt::format(" \\fI{}\\fR", troff(flag.value));
  std::string text = troff(flag.description) + ".";
  if (flag.is_required) text += " Required.";
  if (!flag.default_value.empty()) {
    text += fmt::format(" Default: {}.", troff(flag.default_value));
  }
  if (!flag.variable.empty()) text += fmt::format(" Environment: \\fB{}\\fR.", flag.variable);
  return fmt::format(".TP\n{}\n{}\n", names, text);
}

std::string usage_of(const CommandPage& page) {
  std::string usage = "\\fBtq\\fR";
  for (const std::string& word : page.path) usage += fmt::format(" \\fB{}\\fR", word);
  usage += " [\\fIflags\\fR]";
  for (const Flag& positional : page.positionals) {
    usage += fmt::format(" \\fI{}\\fR", troff(positional.names.at(0)));
  }
  return usage;
}

std::string command_text(const CommandPage& page) {
  std::string text = fmt::format(".SS tq {}\n{}\n.PP\n{}\n", fmt::join(page.path, " "),
                                 usage_of(page), troff(page.description));
  for (const Flag& flag : page.positionals) text += flag_text(flag);
  for (const Flag& flag : page.flags) {
    if (flag.names.back() != "--help") text += flag_text(flag);
  }
  if (!page.footer.empty()) text += fmt::format(".PP\n.nf\n{}\n.fi\n", troff(page.footer));
  return text;
}

}  // namespace

std::string manual_page(const CLI::App& program) {
  const std::vector<CommandPage> pages = command_pages(program);
  std::string text = fmt::format(
      ".TH TQ 1 \"\" \"tq {}\" \"TransferQueue in C++\"\n"
      ".SH NAME\ntq \\- nodes of TransferQueue, and a look at them from a shell\n"
      ".SH SYNOPSIS\n\\fBtq\\fR [\\fIflags\\fR] \\fIcommand\\fR ...\n"
      ".SH DESCRIPTION\n{}\n",
      TQ_VERSION, troff(pages.front().description));
  for (const Flag& flag : pages.front().flags) text += flag_text(flag);
  text += ".SH COMMANDS\n";
  std::map<std::string, std::string> variables;
  for (const CommandPage& page : pages) {
    for (const Flag& flag : page.flags) {
      if (!flag.variable.empty()) variables.try_emplace(flag.variable, flag.names.back());
    }
    // What `config` shows stands with the commands that it shows.
    if (page.path.empty() || (page.path.front() == "config" && page.path.size() > 1)) continue;
    text += command_text(page);
  }
  text +=
      ".SH CONFIGURATION FILE\n"
      "\\fB\\-\\-config\\fR names a YAML file as the Python package has it: the sections metrics, "
      "controller and "
      "backend.SimpleStorage are read, those of other backends passed over. A section \\fBtq\\fR "
      "holds any flag of "
      "the commands under its name without dashes. A flag wins over an environment variable, that "
      "over the file, "
      "the file over the default; \\fBtq config\\fR shows what is in force.\n"
      ".SH ENVIRONMENT\n";
  for (const auto& [variable, flag] : variables) {
    text += fmt::format(".TP\n\\fB{}\\fR\nAs \\fB{}\\fR.\n", variable, troff(flag));
  }
  text += fmt::format(".SH NOTES\n.nf\n{}\n.fi\n", troff(pages.front().footer));
  return text;
}

}  // namespace tq::cli
