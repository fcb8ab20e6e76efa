#!/usr/bin/env python3
"""Writes the manual pages of the commands, clairo.1 and clairo-COMMAND.1, in mdoc(7).

    clairo --experimental-dump-help | Scripts/command_pages.py DATE FOLDER

The help of the program itself is the source, and ClairoError.swift for the exit codes. Scripts/man calls this.
"""
import json
import re
import sys

EXIT_CODES = "Sources/ClairoCore/ClairoError.swift"
WIDTH = 78


def escape(text):
    """Text that roff prints literally."""
    text = text.replace("\\", "\\e").replace("…", "...")
    return "\\&" + text if text[:1] in (".", "'") else text


def words(text):
    """Running text: one line for each sentence, within mandoc's line length."""
    lines = []
    for sentence in re.split(r"(?<=[.!?:;]) (?=[A-Z(])", text.strip()):
        line = ""
        for word in sentence.split():
            if line and len(line) + 1 + len(word) > WIDTH:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(line)
    # mandoc expects a new line after each sentence.
    broken = []
    for line in lines:
        broken += re.sub(r"([a-z)]{2}[.!?]) +(?=\S)", r"\1\n", line).split("\n")
    return [escape(line) for line in broken]


def macro(text):
    """An argument of a macro, in which no word is treated as a macro or punctuation."""
    return '"' + escape(text).replace('"', '""') + '"'


def names(argument):
    order = {"short": 0, "longWithSingleDash": 1, "long": 2}
    return sorted(argument.get("names") or [], key=lambda name: order[name["kind"]])


def dashes(name):
    # `.Fl` writes the first dash.
    return ("-" if name["kind"] == "long" else "") + name["name"]


def tag(argument):
    """The line before an argument's description."""
    value = argument.get("valueName") or "value"
    if argument["kind"] == "positional":
        return f".It Ar {value}" + (" ..." if argument["isRepeating"] else "")
    flags = " , ".join(f"Fl {dashes(name)}" for name in names(argument))
    return f".It {flags}" + (f" Ar {value}" if argument["kind"] == "option" else "")


def description(argument):
    text = " ".join(filter(None, [argument.get("abstract"), argument.get("discussion")]))
    default = argument.get("defaultValue")
    if default and argument["kind"] != "flag" and "(default:" not in text and "default: all" not in text:
        default = re.sub(r"^(\d+)\.0$", r"\1", default)
        text = re.sub(r"\.$", "", text) + f" (default: {default})."
    flags = [name["name"] for name in names(argument)]
    opposite = next((name for name in flags if f"no-{name}" in flags), None)
    if opposite:
        text += f" This is the default; --no-{opposite} turns it off."
    return text


def merge_inversions(arguments):
    """`--x` and `--no-x` are one flag and are explained once."""
    by_name = {name["name"]: argument for argument in arguments for name in argument.get("names") or []}
    merged = []
    for argument in arguments:
        first = (names(argument) or [{"name": ""}])[-1]["name"]
        if first.startswith("no-") and first[3:] in by_name:
            continue
        if f"no-{first}" in by_name and by_name[f"no-{first}"] is not argument:
            argument = dict(argument, names=argument["names"] + by_name[f"no-{first}"]["names"])
        merged.append(argument)
    return merged


def options(arguments):
    sections = {}
    for argument in arguments:
        sections.setdefault(argument.get("sectionTitle") or "", []).append(argument)
    lines = []
    # The command's own options first; `--help` and `--version` last.
    for title in sorted(sections, key=lambda title: title != ""):
        if title:
            lines.append(f".Ss {title}")
        lines.append(".Bl -tag -width 6n")
        for argument in sections[title]:
            lines += [tag(argument)] + words(description(argument))
        lines.append(".El")
    return lines


def discussion(text):
    """Paragraphs and examples. Lines that begin with two spaces are examples."""
    paragraphs, examples = [], []
    for block in filter(str.strip, re.split(r"\n\s*\n", text.strip("\n"))):
        literal = [line[2:] for line in block.split("\n") if line.startswith("  ")]
        if not literal:
            paragraphs.append(block.replace("\n", " "))
            continue
        if long := [line for line in literal if len(line) > WIDTH]:
            sys.exit(f"error: an example is longer than {WIDTH} characters, and would be wrapped: {long[0]}")
        # A paragraph that ends with a colon introduces examples.
        lead = paragraphs.pop() if paragraphs and paragraphs[-1].endswith(":") else None
        examples.append((lead, literal))
    lines = []
    for number, paragraph in enumerate(paragraphs):
        lines += ([".Pp"] if number else []) + words(paragraph)
    if not examples:
        return lines, []
    shown = []
    for number, (lead, literal) in enumerate(examples):
        if lead:
            shown += ([".Pp"] if number else []) + words(lead)
        shown += [".Bd -literal -offset indent"] + [escape(line) for line in literal] + [".Ed"]
    return lines, [".Sh EXAMPLES"] + shown


def exit_codes():
    """The enumeration's cases and their comments."""
    source = open(EXIT_CODES, encoding="utf-8").read()
    body = source[source.index("enum ExitCode"):]
    cases = re.findall(r"((?:\s*///[^\n]*\n)+)\s*case \w+ = (\d+)", body[:body.index("\n    }\n")])
    if not cases:
        sys.exit(f"error: {EXIT_CODES} has no exit codes with comments")
    lines = [".Sh EXIT STATUS", ".Bl -tag -width 4n", ".It 0", "Success."]
    for comment, code in cases:
        lines += [f".It {code}"] + words(" ".join(comment.replace("///", " ").split()))
    return lines + [".El"]


def page(command, path, pages, date):
    arguments = [
        argument for argument in command.get("arguments") or []
        if argument.get("shouldDisplay", True) and (argument.get("names") or argument["kind"] == "positional")
    ]
    arguments = merge_inversions(arguments)
    positional = [argument for argument in arguments if argument["kind"] == "positional"]
    children = [child for child in command.get("subcommands") or [] if is_shown(child)]
    lines = [
        '.\\" Made by Scripts/man from the help of the program. Do not edit.',
        f".Dd {date}", f".Dt {'-'.join(path).upper()} 1", ".Os", ".Sh NAME", f".Nm {'-'.join(path)}",
        f".Nd {escape(command['abstract'].rstrip('.'))}", ".Sh SYNOPSIS", f".Nm {macro(' '.join(path))}",
    ]
    if children:
        lines += [".Ar command", ".Op Ar options"]
    else:
        lines.append(".Op Ar options")
    for argument in positional:
        text = f"Ar {argument['valueName']}" + (" ..." if argument["isRepeating"] else "")
        lines.append(f".Op {text}" if argument["isOptional"] else f".{text}")
    about, examples = discussion(command.get("discussion") or "")
    about = about or words(command["abstract"])
    if len(path) == 1:
        # The table below covers it.
        about = [line for line in "\n".join(about).split(".Pp\nExit codes follow")[0].rstrip("\n").split("\n")]
    lines += [".Sh DESCRIPTION"] + about
    if children:
        lines += [".Sh COMMANDS", ".Bl -tag -width 6n"]
        for child in children:
            lines += [f".It Cm {child['commandName']}"] + words(child["abstract"])
        lines.append(".El")
    lines += [".Sh OPTIONS"] + options(arguments)
    lines += exit_codes() + examples
    others = [name for name in pages if name != "-".join(path)]
    if len(path) > 1:
        # A page refers to the program and to the commands above and below it.
        others = [
            name for name in others
            if name == "clairo" or name.startswith("-".join(path) + "-")
            or (len(path) > 2 and name.startswith("-".join(path[:2])))
        ] + ["clairo-doctor"] * (path[-1] == "config") + ["clairo-config"] * (path[-1] == "doctor")
    references = sorted(set((name, "1") for name in others)) + [("clairo.yaml", "5")]
    if len(path) == 1:
        references += [(f"clairo-{name}", "7") for name in (
            "deploy", "json", "messages", "performance", "pipeline", "security")]
    elif any("json" == name["name"] for argument in arguments for name in names(argument)):
        references.append(("clairo-json", "7"))
    lines.append(".Sh SEE ALSO")
    lines += [f".Xr {name} {section} ," for name, section in references]
    lines[-1] = lines[-1].removesuffix(" ,")
    return "\n".join(lines) + "\n"


def is_shown(command):
    # `help` repeats the pages.
    return command.get("shouldDisplay", True) and command["commandName"] not in ("help", "run-task")


def walk(command, path=()):
    path = path + (command["commandName"],)
    yield command, path
    for child in command.get("subcommands") or []:
        if is_shown(child):
            yield from walk(child, path)


def main():
    date, folder = sys.argv[1:]
    year, month, day = (int(part) for part in date.split("-"))
    months = "January February March April May June July August September October November December".split()
    root = json.load(sys.stdin)["command"]
    commands = list(walk(root))
    pages = ["-".join(path) for _, path in commands]
    for command, path in commands:
        with open(f"{folder}/{'-'.join(path)}.1", "w", encoding="utf-8") as file:
            file.write(page(command, path, pages, f"{months[month - 1]} {day}, {year}"))


main()
