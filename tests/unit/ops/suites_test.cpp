#include "ops/suites.h"

#include <gtest/gtest.h>

#include <set>

#include "ops/catalog.h"

namespace tessera::ops {
namespace {

TEST(Suites, EveryEntryIsAPreset) {
  std::set<std::string> names;
  for (const Suite& s : suites()) {
    EXPECT_TRUE(names.insert(s.name).second) << s.name;
    std::set<std::string> presets, labels;
    for (const SuiteEntry& e : s.entries) {
      EXPECT_TRUE(find_preset(e.preset).ok()) << e.preset;
      EXPECT_TRUE(presets.insert(e.preset).second) << e.preset;
      EXPECT_TRUE(labels.insert(e.label).second) << e.label;
    }
  }
}

TEST(Suites, Sizes) {
  EXPECT_EQ(find_suite("ansor").or_throw()->entries.size(), 48U);
  EXPECT_EQ(find_suite("gemm").or_throw()->entries.size(), 15U);
  EXPECT_EQ(find_suite("resnet").or_throw()->entries.size(), 10U);
  EXPECT_EQ(find_suite("bert").or_throw()->entries.size(), 13U);
  EXPECT_EQ(find_suite("depthwise").or_throw()->entries.size(), 3U);
  EXPECT_EQ(find_suite("fusion").or_throw()->entries.size(), 2U);
  EXPECT_EQ(find_suite("int8").or_throw()->entries.size(), 2U);
}

/// The numbers in a label, "C2D_56_64_64_1_1_0": those of the shape that it stands for, in this order.
std::vector<std::int64_t> numbers(const std::string& label) {
  std::vector<std::int64_t> out;
  for (std::size_t at = label.find('_'); at != std::string::npos; at = label.find('_', at + 1)) out.push_back(std::stoll(label.substr(at + 1)));
  return out;
}

TEST(Suites, LabelsOfAnsorSayTheShapes) {
  const std::vector<const char*> square{"w", "ci", "co", "kw", "stride", "pad"};
  const std::map<std::string, std::vector<const char*>> order{
      {"C1D", square}, {"C2D", square}, {"C3D", {"d", "w", "ci", "co", "kw", "stride", "pad"}}, {"GRP", square}, {"DIL", square},
      {"T2D", square}, {"CAP", square}, {"ConvLayer", square}, {"DEP", {"w", "c", "kw", "stride", "pad"}}, {"GMM", {"m", "n", "k"}},
      {"NRM", {"m", "n"}}, {"TBG", {"seq", "heads", "hidden"}}};
  for (const SuiteEntry& e : find_suite("ansor").or_throw()->entries) {
    const std::string kind = e.label.substr(0, e.label.find('_'));
    EXPECT_EQ(e.preset.substr(0, e.preset.find('.')), kind);
    const Shape shape = find_preset(e.preset).or_throw().shape;
    std::vector<std::int64_t> said;
    for (const char* p : order.at(kind)) said.push_back(shape.at(p));
    EXPECT_EQ(said, numbers(e.label)) << e.preset;
    const auto either = [&](const char* name, const char* other) { return shape.count(name) != 0 ? shape.at(name) : shape.count(other) != 0 ? shape.at(other) : 0; };
    EXPECT_EQ(either("h", "w"), either("w", "h")) << e.preset;
    EXPECT_EQ(either("kh", "kw"), either("kw", "kh")) << e.preset;
  }
}

TEST(Suites, RefusesWithNearNames) {
  EXPECT_EQ(find_suite("ansr").reason(), "unknown suite 'ansr'; near it: ansor");
  EXPECT_EQ(find_suite("zzzzzz").reason(), "unknown suite 'zzzzzz'; known are ansor, gemm, resnet, bert, depthwise, fusion, int8");
}

}  // namespace
}  // namespace tessera::ops
