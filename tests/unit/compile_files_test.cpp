// SPDX-License-Identifier: LGPL-2.1-or-later
// What concerns several files, limits, and text that is no TOML.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "tests/unit/compile_helpers.h"

namespace cxlmemd {
namespace {

using test::BadCase;
using test::in_match;
using test::lines_of;
using test::problems_of;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string rule(std::string_view name, std::string_view match = "") {
    return fmt::format("[[rule]]\nname = \"{}\"\nmemory.mode = \"ignore\"\nmatch = {{ {} }}\n", name, match);
}

std::vector<std::string> names_of(const Policy& policy) {
    std::vector<std::string> out;
    for (const Rule& r : policy.rules) out.push_back(r.name);
    return out;
}

std::vector<std::string> full_lines(const std::vector<Problem>& problems) {
    std::vector<std::string> out;
    for (const Problem& p : problems) out.push_back(to_string(p));
    return out;
}

TEST(CompileFiles, NothingGivesAnEmptyPolicy) {
    EXPECT_EQ(compile({}).policy, Policy{});
    EXPECT_THAT(compile({}).problems, IsEmpty());
    EXPECT_THAT(problems_of(""), IsEmpty());
    EXPECT_THAT(problems_of("# only a comment"), IsEmpty());
}

TEST(CompileFiles, KeepsTheOrderOfFilesAndOfRules) {
    const Compiled compiled =
        compile({{"20.toml", rule("c", "target_node = 1") + rule("b", "target_node = 2")},
                 {"10.toml", rule("a", "target_node = 3")}});
    EXPECT_THAT(names_of(compiled.policy), ElementsAre("c", "b", "a"));
    EXPECT_EQ(compiled.policy.rules[1].place, (Place{"20.toml", 5, 1}));
    EXPECT_EQ(compiled.policy.rules[2].place, (Place{"10.toml", 1, 1}));
}

TEST(CompileFiles, ANameThatIsTakenIsAnErrorAtTheSecondOne) {
    const Compiled compiled =
        compile({{"a.toml", rule("x", "target_node = 1")}, {"b.toml", "\n" + rule("x", "target_node = 2")}});
    EXPECT_THAT(
        full_lines(compiled.problems),
        ElementsAre("b.toml:3:8: error: rule 'x' exists already at a.toml:2:8; every rule has a name of "
                    "its own"));
}

TEST(CompileFiles, ProblemsComeInTheOrderOfFilesAndPlaces) {
    const Compiled compiled =
        compile({{"z.toml", "b = 1\na = 1\n"}, {"a.toml", "c = "}, {"m.toml", "d = 1"}});
    EXPECT_THAT(full_lines(compiled.problems),
                ElementsAre("z.toml:1:1: error: unknown key 'b' in a policy file",
                            "z.toml:2:1: error: unknown key 'a' in a policy file",
                            HasSubstr("a.toml:1:5: error: bad TOML in key-value pair"),
                            "m.toml:1:1: error: unknown key 'd' in a policy file"));
}

TEST(CompileFiles, ARuleThatAnEarlierOneCoversIsAWarning) {
    const Compiled compiled = compile({{"a.toml", rule("all")}, {"b.toml", rule("late", "kind = \"hmem\"")}});
    EXPECT_FALSE(has_errors(compiled.problems));
    EXPECT_THAT(
        full_lines(compiled.problems),
        ElementsAre("b.toml:1:1: warning: rule 'late' never decides: rule 'all' at a.toml:1:1 comes first "
                    "and holds whenever it does"));
}

TEST(CompileFiles, ARuleWithAnErrorCoversNothing) {
    // Without its only key it would match everything.
    EXPECT_THAT(problems_of(rule("bad", "kin = \"hmem\"") + rule("good")), SizeIs(1));
}

TEST(CompileFiles, DescribesAProblemOfTheWholeFileWithoutALine) {
    EXPECT_EQ(to_string(Problem{{"a.toml", 0, 0}, Severity::error, "m"}), "a.toml: error: m");
    EXPECT_EQ(to_string(Problem{{"a.toml", 2, 3}, Severity::warning, "m"}), "a.toml:2:3: warning: m");
}

// --- Limits ---

TEST(CompileLimits, AFileTooLargeIsOneError) {
    EXPECT_THAT(problems_of(std::string(max_file_bytes, '\n')), IsEmpty());
    EXPECT_THAT(problems_of(std::string(max_file_bytes + 1, '\n')),
                ElementsAre(" error: the file is 1048577 bytes long; 1048576 (1 MiB) is the limit"));
}

TEST(CompileLimits, TooManyRulesIsOneErrorAtTheFirstBeyond) {
    std::vector<SourceFile> files{{"a", ""}, {"b", ""}};
    for (std::size_t i = 0; i < max_rules; ++i) {
        files[i % 2].text += rule(std::to_string(i), fmt::format("memdev_serial = {}", i));
    }
    EXPECT_THAT(compile(files).problems, IsEmpty());
    files[1].text += rule("more") + rule("and more");
    EXPECT_THAT(full_lines(compile(files).problems),
                ElementsAre("b:8193:1: error: too many: 4096 [[rule]] tables over all files is the limit"));
}

TEST(CompileLimits, TooManyFilesIsOneErrorAtTheFirstBeyond) {
    std::vector<SourceFile> files;
    for (std::size_t i = 0; i < max_files; ++i) files.push_back({fmt::format("{}", i), "# empty\n"});
    EXPECT_THAT(compile(files).problems, IsEmpty());
    files.push_back({"more", "x = 1"});
    files.push_back({"and more", "x = 1"});
    EXPECT_THAT(full_lines(compile(files).problems),
                ElementsAre("more: error: too many: 256 policy files are the limit"));
}

TEST(CompileLimits, TooMuchTextOverAllFilesIsOneErrorAtTheFirstBeyond) {
    std::vector<SourceFile> files;
    for (std::size_t i = 0; i < max_total_bytes / max_file_bytes; ++i) {
        files.push_back({fmt::format("{}", i), std::string(max_file_bytes, '\n')});
    }
    EXPECT_THAT(compile(files).problems, IsEmpty());
    files.push_back({"more", "\n"});
    files.push_back({"and more", "x = 1"});
    EXPECT_THAT(full_lines(compile(files).problems),
                ElementsAre("more: error: too large: 4194304 bytes of all policy files together are the "
                            "limit"));
}

TEST(CompileLimits, ANameTooLongIsOneError) {
    EXPECT_THAT(problems_of(rule(std::string(max_name_bytes, 'n'))), IsEmpty());
    EXPECT_THAT(problems_of(rule(std::string(max_name_bytes + 1, 'n'))),
                ElementsAre("2:8: error: this name is 256 bytes long; 255 is the limit"));
}

TEST(CompileLimits, AStringTooLongIsOneError) {
    const auto with = [](std::size_t bytes) {
        return "[[rule]]\nname = \"r\"\nmemory.mode = \"ignore\"\ndescription = \"" +
               std::string(bytes, 'd') + "\"";
    };
    EXPECT_THAT(problems_of(with(max_string_bytes)), IsEmpty());
    EXPECT_THAT(problems_of(with(max_string_bytes + 1)),
                ElementsAre("4:15: error: this string is 4097 bytes long; 4096 is the limit"));
}

TEST(CompileLimits, AKeyTooLongIsOneError) {
    EXPECT_THAT(problems_of(std::string(max_string_bytes + 1, 'k') + " = 1"),
                ElementsAre("1:1: error: this key is 4097 bytes long; 4096 is the limit"));
}

TEST(CompileLimits, APatternTooLongIsOneError) {
    EXPECT_THAT(problems_of(in_match("dax = \"" + std::string(256, 'd') + "\"")),
                ElementsAre("5:7: error: this pattern is 256 bytes long; 255 is the limit"));
}

TEST(CompileLimits, AListTooLongIsOneError) {
    const auto with = [](std::size_t entries) {
        std::string list;
        for (std::size_t i = 0; i < entries; ++i) list += fmt::format("{},", i);
        return in_match("memdev_serial = [" + list + "]");
    };
    EXPECT_THAT(problems_of(with(max_list_entries)), IsEmpty());
    EXPECT_THAT(problems_of(with(max_list_entries + 1)),
                ElementsAre("5:17: error: this list has 1025 entries; 1024 is the limit"));
}

TEST(CompileLimits, BracketsTooDeepAreOneErrorAtTheirPlace) {
    EXPECT_THAT(problems_of("a = " + std::string(100'000, '[')),
                ElementsAre("1:21: error: nested deeper than 16 levels"));
    EXPECT_THAT(problems_of("\n[[rule]]\na = " + std::string(17, '[') + std::string(17, ']')),
                ElementsAre("3:21: error: nested deeper than 16 levels"));
}

TEST(CompileLimits, DottedKeysTooDeepAreOneErrorAtTheirPlace) {
    std::string key = "a";
    for (int i = 0; i < 200'000; ++i) key += ".a";
    EXPECT_THAT(problems_of(key + " = 1"), ElementsAre("1:32: error: nested deeper than 16 levels"));
    EXPECT_THAT(problems_of("[" + key + "]"), ElementsAre("1:33: error: nested deeper than 16 levels"));
    EXPECT_THAT(problems_of("[['é'." + key + "]]"), ElementsAre("1:36: error: nested deeper than 16 levels"));
}

TEST(CompileLimits, DepthIsNotSeenInStringsAndComments) {
    const std::string deep = std::string(50, '[') + ".a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a";
    for (const std::string& quoted : {"'" + deep + "'", "\"\\\"" + deep + "\"", "'''\n" + deep + "''''",
                                      "\"\"\"\n\\\"" + deep + "\"\"\""}) {
        EXPECT_THAT(problems_of("# " + deep + "\nx = " + quoted),
                    ElementsAre("2:1: error: unknown key 'x' in a policy file"));
    }
}

TEST(CompileLimits, FloatsInAListAreNotDepth) {
    std::string list;
    for (int i = 0; i < 100; ++i) list += "1.5, ";
    EXPECT_THAT(problems_of(in_match("dax = [" + list + "]")), SizeIs(100));
}

TEST(CompileLimits, ThousandsOfProblemsAreCutAndStillAnError) {
    std::string text;
    for (int i = 0; i < 3000; ++i) text += fmt::format("k{}x = 1\n", i);
    const auto problems = compile({{"a", text}}).problems;
    ASSERT_THAT(problems, SizeIs(1001));
    EXPECT_EQ(to_string(problems.back()),
              "a:1001:1: error: 2000 more problems of this file, this one the first, are not shown");
}

TEST(CompileLimits, ProblemsOfManyFilesAreCutAndStillAnError) {
    const auto warnings = [](std::size_t file) {
        std::string text = rule(fmt::format("{}all", file), fmt::format("target_node = {}", file));
        for (int i = 0; i < 800; ++i) {
            text += rule(fmt::format("{}r{}", file, i), fmt::format("target_node = {}", file));
        }
        return text;
    };
    std::vector<SourceFile> files;
    for (std::size_t i = 0; i < 5; ++i) files.push_back({fmt::format("{}", i), warnings(i)});
    EXPECT_THAT(compile(files).problems, SizeIs(max_problems));
    files.push_back({"last", "x = 1\ny = 1\n"});
    const auto problems = compile(files).problems;
    ASSERT_THAT(problems, SizeIs(max_problems + 1));
    EXPECT_EQ(to_string(problems.back()),
              "last:1:1: error: 2 more problems, this one the first, are not shown");
}

TEST(CompileLimits, AnErrorBehindManyWarningsIsNotLost) {
    std::string text = rule("all");
    for (int i = 0; i < 1001; ++i) text += rule(fmt::format("r{}", i), "target_node = 1");
    EXPECT_FALSE(has_errors(test::compile_text(text).problems));
    EXPECT_THAT(test::compile_text(text).problems, SizeIs(1001));
    EXPECT_TRUE(has_errors(test::compile_text(text + "x = 1").problems));
}

TEST(CompileLimits, QuotesOnlyTheBeginningOfALongWord) {
    const std::string word = std::string(59, 'w') + "éé";
    EXPECT_THAT(problems_of(in_match("kind = \"" + word + "\"")),
                ElementsAre("5:8: error: '" + std::string(59, 'w') +
                            "...' is not a kind: cxl-ram, cxl-pmem, hmem or pmem"));
}

// --- No TOML ---

class BadToml : public testing::TestWithParam<BadCase> {};
TEST_P(BadToml, IsOneErrorAtItsPlace) {
    EXPECT_EQ(problems_of(std::string{GetParam().text}), GetParam().problems);
}

using std::string_view_literals::operator""sv;
const std::vector<BadCase> bad_toml{
    {"StringNotClosed", "name = \"x\n", {"1:10: error: this string is not closed on its line"}},
    {"StringNotClosedAtTheEnd", "a = 'x", {"1:7: error: bad TOML in string: encountered end-of-file"}},
    {"UnknownEscape", "a = \"\\q\"", {"1:7: error: bad TOML in string: unknown escape sequence '\\q'"}},
    {"HeaderNotClosed", "[[rule]\n", {"1:8: error: bad TOML in table header: expected ']', saw '\\n'"}},
    {"ValueMissing", "a =\n", {"1:4: error: bad TOML in key-value pair: expected value, saw '\\n'"}},
    {"YamlColon", "zone: movable", {"1:5: error: bad TOML in key-value pair: expected '=', saw ':'"}},
    {"KeyTwice",
     "[[rule]]\nname = \"a\"\nname = \"b\"",
     {"3:8: error: bad TOML in key-value pair: cannot redefine existing string 'name'; a key or table "
      "stands "
      "once"}},
    {"TableThenArrayOfTables",
     "[rule]\n[[rule]]\n",
     {"2:1: error: there is a [...] table of this name already; write two pairs of brackets there too"}},
    {"ArrayOfTablesThenTable",
     "[[rule]]\n[rule]\n",
     {"2:1: error: there are [[...]] tables of this name already; write two pairs of brackets here too"}},
    {"WordInAList",
     "a = [\"x\", movable]",
     {"1:11: error: 'movable' is not a number, true or false; anything else stands in quotes: \"movable\""}},
    {"BooleanInUpperCase", "a = False", {"1:5: error: 'False' is written false in TOML"}},
    {"NulByte", "a=\0"sv, {"1:3: error: bad TOML in value: unexpected control character"}},
    {"LetterBeyondAsciiInAKey",
     "\n é = 1",
     {"2:2: error: 'é' stands in quotes in TOML, in keys and in values"}},
    {"LetterBeyondAsciiAsAValue",
     "a = Т",
     {"1:5: error: 'Т' stands in quotes in TOML, in keys and in values"}},
    {"TypographicQuotes", "zone = “movable”", {"1:8: error: '“' is no quote in TOML; write \""}},
    {"NoBreakSpace",
     "zone =\u00a0\"movable\"",
     {"1:7: error: this blank is a no-break space (U+00A0); write a plain one"}},
    {"QuoteInANumber", "a = 0'é'", {"1:6: error: a quote (') cannot stand right behind '0'"}},
    {"QuoteBehindADotInANumber", "a = 0.'é'", {"1:7: error: a quote (') cannot stand right behind '.'"}},
    {"QuoteBehindAString", "a = \"b\"'é'", {"1:8: error: a quote (') cannot stand right behind '\"'"}},
    {"QuoteBehindANumberInAList",
     "[[rule]]\na = {b.'c' = [0['é'",
     {"2:17: error: a quote (') cannot stand right behind '['"}},
    {"LetterBeyondAsciiBehindABackslash",
     "a = \"\"\"one\\\n  été\"\"\"",
     {"2:3: error: behind a \\ the text cannot go on with 'é'"}},
    {"NoUtf8OutsideStrings", "a = \xff", {"1:5: error: this is not UTF-8; TOML files are"}},
    {"NoUtf8", "a = \"\xff\"", {"1:5: error: bad TOML: Encountered invalid utf-8 sequence"}},
    {"ControlCharacterIsNotEchoed",
     "a = 1\x1b[2J",
     {R"(1:6: error: bad TOML in decimal integer: expected digit, saw '\u001B')"}},
};
INSTANTIATE_TEST_SUITE_P(Compile, BadToml, testing::ValuesIn(bad_toml), test::behaviour_of);

TEST(CompileToml, TakesAByteOrderMarkAndWindowsLineEnds) {
    EXPECT_THAT(problems_of("\xef\xbb\xbf[[rule]]\r\nname = \"r\"\r\nmemory.mode = \"ignore\"\r\n"),
                IsEmpty());
}

TEST(CompileToml, TakesQuotedKeysAndTextsThatGoOn) {
    EXPECT_THAT(
        problems_of("[[\"rule\"]]\n\"name\"=\"é\"\ndescription = \"\"\"é\\\n  one\"\"\"\n"
                    "\"memory\".'mode' = 'ignore'\n\"match\" = {'kind'=[\"pmem\",'hmem'],region='r*'}\n"),
        IsEmpty());
}

// The same memory is hmem to one kernel and cxl-ram to the next.
TEST(CheckFiles, RuleForTheOtherNameOfTheMachinesMemoryIsAWarning) {
    const auto problems = [](const std::string& match) {
        const std::string text = "[[rule]]\nname = \"r\"\nmatch = " + match + "\nmemory.zone = \"movable\"\n";
        return test::lines_of(check_files({{"a.toml", text}}, nullptr, {{"dax1.0", DaxKind::hmem}}));
    };
    EXPECT_THAT(problems("{ kind = \"cxl-ram\" }"),
                testing::ElementsAre(
                    testing::AllOf(testing::HasSubstr("1:1: warning: no rule is about kind \"hmem\", "
                                                      "which dax1.0 is on this kernel"),
                                   testing::HasSubstr("backed_by = \"cxl\" takes both"))));
    EXPECT_THAT(problems("{ kind = [\"cxl-ram\", \"hmem\"] }"), testing::IsEmpty());
    EXPECT_THAT(problems("{ backed_by = \"cxl\" }"), testing::IsEmpty());
    EXPECT_THAT(problems("{ kind = \"pmem\" }"), testing::IsEmpty());
}

}  // namespace
}  // namespace cxlmemd
