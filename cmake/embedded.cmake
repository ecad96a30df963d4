# Files that become part of the library: the prior of the cost model is read by the assembler
# (cost_model/shipped_prior.cpp), which is compiled again when it changes.
set(prior "${PROJECT_SOURCE_DIR}/cost_model/priors/cpu.prior")
set_source_files_properties("${PROJECT_SOURCE_DIR}/cost_model/shipped_prior.cpp" PROPERTIES
  COMPILE_DEFINITIONS "TESSERA_PRIOR_FILE=\"${prior}\""
  OBJECT_DEPENDS "${prior}")
