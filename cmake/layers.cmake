# The one list of layers, bottom to top: a folder, then the folders whose headers it may include. A
# row may only name rows above it, so a cycle cannot be written; every folder may include support.
# CMake links by it and scripts/check_layers.py checks every #include against it.
layer(support)
layer(ir)
layer(dsl          ir)
layer(ops          dsl ir)
layer(runtime      ir)
layer(schedule     dsl ir)
layer(lower        schedule dsl ir)
layer(polyhedral   lower schedule dsl ir)
layer(codegen      runtime ir)
layer(cost_model   ir)
layer(tuning_logs  schedule runtime dsl ir)
layer(driver       polyhedral lower codegen schedule runtime dsl ir)
layer(search       driver cost_model tuning_logs schedule runtime dsl ir)
layer(exporter     driver codegen tuning_logs schedule runtime dsl ir)

# Third parties: the headers that belong to each, and the only folders (or files, by stem) that may
# include them. In a layer they stay in .cpp files and detail/, unless the row says PUBLIC.
third_party(llvm             HEADERS llvm/ llvm-c/    IN codegen/llvm runtime/cpu)
third_party(isl              HEADERS isl/             IN polyhedral)
third_party(xgboost          HEADERS xgboost/         IN cost_model)
third_party(json      PUBLIC HEADERS nlohmann/        IN support/json tuning_logs)
third_party(fmt       PUBLIC HEADERS fmt/             IN support tools)
third_party(cli11            HEADERS CLI/             IN tools)
third_party(gtest            HEADERS gtest/ gmock/    IN tests)
third_party(benchmark        HEADERS benchmark/       IN bench)
third_party(cuda             HEADERS cuda.h cuda_     IN runtime/cuda)
third_party(nvrtc            HEADERS nvrtc.h          IN codegen/cuda)
third_party(hiredis          HEADERS hiredis/         IN runtime/fleet)
