// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "cli/command_tree.h"

namespace tq::cli {
namespace {

using Flag = CommandPage::Flag;

std::string path_text(const CommandPage& page, const char* between) {
  return fmt::format("{}", fmt::join(page.path, between));
}

// What a word after the flag is: a folder, a file, or something that cannot be guessed.
enum class Guess { kFolder, kFile, kNothing };
Guess guess_of(const Flag& flag) {
  if (flag.value == "DIR" || flag.value == "OUTDIR") return Guess::kFolder;
  if (flag.value == "FILE") return Guess::kFile;
  return Guess::kNothing;
}

// The flags of all pages that take such a word, as a pattern of `case`.
std::string flags_that_take(const std::vector<CommandPage>& pages, Guess guess) {
  std::vector<std::string> names;
  for (const CommandPage& page : pages) {
    for (const Flag& flag : page.flags) {
      if (flag.value.empty() || guess_of(flag) != guess) continue;
      names.insert(names.end(), flag.names.begin(), flag.names.end());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return fmt::format("{}", fmt::join(names, "|"));
}

std::string words_of(const CommandPage& page) {
  std::vector<std::string> words;
  for (const auto& [name, description] : page.subcommands) words.push_back(name);
  for (const Flag& flag : page.flags) {
    words.insert(words.end(), flag.names.begin(), flag.names.end());
  }
  return fmt::format("{}", fmt::join(words, " "));
}

std::string commands_of(const CommandPage& page) {
  std::vector<std::string> words;
  for (const auto& [name, description] : page.subcommands) words.push_back(name);
  return fmt::format("{}", fmt::join(words, " "));
}

// Text inside '...' of zsh's _arguments, where brackets and colons mean something.
std::string zsh_quoted(const std::string& text) {
  std::string quoted;
  for (char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else if (c == '\n') {
      quoted += ' ';
    } else {
      if (c == '[' || c == ']' || c == ':' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted;
}

std::string zsh_action(const Flag& flag) {
  switch (guess_of(flag)) {
    case Guess::kFolder:
      return "_files -/";
    case Guess::kFile:
      return "_files";
    case Guess::kNothing:
      break;
  }
  return " ";
}

void add_zsh_flags(const CommandPage& page, std::string& text) {
  for (const Flag& flag : page.flags) {
    const std::string value = flag.value.empty()
                                  ? std::string()
                                  : fmt::format(":{}:{}", zsh_quoted(flag.value), zsh_action(flag));
    for (const std::string& name : flag.names) {
      text += fmt::format("    '{}[{}]{}' \\\n", name, zsh_quoted(flag.description), value);
    }
  }
}

std::string zsh_function_name(const std::vector<std::string>& path) {
  return fmt::format("_tq{}{}", path.empty() ? "" : "_", fmt::join(path, "_"));
}

std::string zsh_function(const CommandPage& page) {
  std::string text = fmt::format("{}() {{\n", zsh_function_name(page.path));
  if (page.subcommands.empty()) {
    text += "  _arguments \\\n";
    add_zsh_flags(page, text);
    return text + "    '*:word: '\n}\n\n";
  }
  text += "  local line state\n  _arguments -C \\\n";
  add_zsh_flags(page, text);
  text += "    '1:command:->command' '*::word:->word'\n  case $state in\n  command)\n";
  text += "    local -a commands=(\n";
  for (const auto& [name, description] : page.subcommands) {
    text += fmt::format("      '{}:{}'\n", name, zsh_quoted(description));
  }
  text += "    )\n    _describe command commands ;;\n  word)\n    case $line[1] in\n";
  for (const auto& [name, description] : page.subcommands) {
    std::vector<std::string> below = page.path;
    below.push_back(name);
    text += fmt::format("    {}) {} ;;\n", name, zsh_function_name(below));
  }
  return text + "    esac ;;\n  esac\n}\n\n";
}

}  // namespace

std::string bash_completion(const CLI::App& program) {
  const std::vector<CommandPage> pages = command_pages(program);
  std::string text =
      "# bash completion for tq; made by 'tq completion bash'\n"
      "_tq() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} word path= "
      "commands\n"
      "  COMPREPLY=()\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    commands=\n"
      "    case $path in\n";
  for (const CommandPage& page : pages) {
    if (page.subcommands.empty()) continue;
    text += fmt::format("    '{}') commands='{}' ;;\n", path_text(page, " "), commands_of(page));
  }
  text +=
      "    esac\n"
      "    case \" $commands \" in *\" $word \"*) path=${path:+$path }$word ;; esac\n"
      "  done\n"
      "  case $before in\n";
  text += fmt::format(
      "  {})\n    compopt -o filenames; COMPREPLY=($(compgen -d -- \"$current\")); return ;;\n",
      flags_that_take(pages, Guess::kFolder));
  text += fmt::format(
      "  {})\n    compopt -o filenames; COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n",
      flags_that_take(pages, Guess::kFile));
  text += fmt::format("  {})\n    return ;;\n", flags_that_take(pages, Guess::kNothing));
  text += "  esac\n  local words=\n  case $path in\n";
  for (const CommandPage& page : pages) {
    text += fmt::format("  '{}') words='{}' ;;\n", path_text(page, " "), words_of(page));
  }
  text +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "}\n"
      "complete -F _tq tq\n";
  return text;
}

std::string zsh_completion(const CLI::App& program) {
  std::string text = "#compdef tq\n# zsh completion for tq; made by 'tq completion zsh'\n\n";
  for (const CommandPage& page : command_pages(program)) text += zsh_function(page);
  // Loaded by its name it is to complete at once; read by `source` it is to be known.
  return text + "if [[ $funcstack[1] == _tq ]]; then _tq \"$@\"; else compdef _tq tq; fi\n";
}

}  // namespace tq::cli
