#include <fmt/format.h>

#include "driver/builder.h"
#include "exporter/export_c.h"
#include "support/version.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/logged.h"

namespace tessera::autotune {

int run_export(const ExportArgs& args) {
  for (const std::string& form : split_words(args.to)) {
    TESSERA_USER_CHECK(form == "c") << "cannot export to '" << form << "'; forms are c";
  }
  const Logged logged = best_of_log(args.log, 0, "", false);
  if (logged.task.target.kind == ir::TargetKind::kCuda) {
    throw UserError("export writes kernels for CPUs; autotune show " + args.log + " --print cuda prints this one for '" + logged.task.target.text() + "'", 2);
  }
  driver::Builder builder;
  const driver::BuildResult built = builder.build(logged.task.dag, logged.plan, logged.task.target);
  TESSERA_ENVIRONMENT_CHECK(built.image.has_value())
      << "the best record of '" << args.log << "' does not build: " << runtime::to_string(built.status) << ": " << built.message;
  exporter::ExportOptions options;
  options.name = args.name.empty() ? (logged.task.request.op.empty() ? "kernel" : logged.task.request.op) : args.name;
  options.directory = args.directory;
  options.description = logged.task.dag.to_string();
  options.tool = kToolVersion;
  for (const dsl::Stage* in : logged.task.dag.inputs()) options.values[in->name] = in->values;
  const std::vector<std::string> files = exporter::export_c(*built.image, logged.task.target, options);
  if (args.json) {
    fmt::print("{}\n", dump_json(Json{{"name", exporter::c_identifier(options.name)}, {"directory", args.directory}, {"files", files}}));
  } else {
    for (const std::string& f : files) fmt::print("{}\n", f);
  }
  return 0;
}

}  // namespace tessera::autotune
