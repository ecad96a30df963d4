#include <algorithm>

#include "support/nearest.h"
#include "support/version.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

driver::VerifyWhen verify_when(const std::string& word) {
  const std::vector<const char*> names = enum_names(driver::VerifyWhen{});
  const auto it = std::find(names.begin(), names.end(), word);
  TESSERA_CHECK(it != names.end()) << "--verify " << word;
  return static_cast<driver::VerifyWhen>(it - names.begin());
}

search::Path path_of(const std::string& word) {
  const std::vector<const char*> names = enum_names(search::Path{});
  const auto it = std::find(names.begin(), names.end(), word);
  TESSERA_CHECK(it != names.end()) << "--path " << word;
  return static_cast<search::Path>(it - names.begin());
}

search::SessionOptions session_options(const SearchArgs& args, int trials, const std::string& log, bool resume) {
  search::SessionOptions o;
  o.search.trials = trials;
  o.search.seed = args.seed;
  o.search.patience = args.patience;
  o.search.jobs = args.jobs;
  const auto set = [&](const char* flag, const std::string& parts, bool value) {
    for (const std::string& part : split_words(parts)) {
      bool* const use = part == "prior" ? &o.search.use_prior : part == "draft" ? &o.search.use_draft : part == "model" ? &o.search.use_model
                        : part == "evolution" ? &o.search.use_evolution : nullptr;
      TESSERA_USER_CHECK(use != nullptr) << flag << " takes prior, draft, model, evolution, not '" << part << "'";
      *use = value;
    }
  };
  set("--with", args.with, true);
  set("--without", args.without, false);
  o.search.path = path_of(args.path);
  o.search.verify = verify_when(args.verify);
  if (o.search.use_prior) {
    auto prior = args.prior.empty() ? cost_model::shipped_prior() : cost_model::Prior::load(args.prior);
    if (!prior.ok()) throw UserError(prior.reason(), 1);
    o.search.prior = std::make_shared<cost_model::Prior>(std::move(*prior));
  }
  o.transfer = split_words(args.transfer);
  o.log = log;
  o.resume = resume;
  o.tool = kToolVersion;
  return o;
}

}  // namespace tessera::autotune
