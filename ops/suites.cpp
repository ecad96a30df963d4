#include "ops/suites.h"

#include "support/nearest.h"

namespace tessera::ops {

const std::vector<Suite>& suites() {
  static const std::vector<Suite> all{
      {"ansor",
       "ten operators and two subgraphs in four shapes each, from the evaluation of Ansor (OSDI 2020)",
       {
        {"C1D.1", "C1D_256_64_128_3_2_1"},
        {"C1D.2", "C1D_128_128_256_1_2_0"},
        {"C1D.3", "C1D_64_256_256_5_1_2"},
        {"C1D.4", "C1D_32_512_512_3_1_1"},
        {"C2D.1", "C2D_224_3_64_7_2_3"},
        {"C2D.2", "C2D_56_64_64_1_1_0"},
        {"C2D.3", "C2D_14_256_256_3_1_1"},
        {"C2D.4", "C2D_7_512_512_3_1_1"},
        {"C3D.1", "C3D_16_224_3_64_7_2_3"},
        {"C3D.2", "C3D_16_56_64_64_1_1_0"},
        {"C3D.3", "C3D_16_14_256_256_3_1_1"},
        {"C3D.4", "C3D_16_7_512_512_3_1_1"},
        {"GMM.1", "GMM_128_128_128"},
        {"GMM.2", "GMM_512_32_512"},
        {"GMM.3", "GMM_512_512_512"},
        {"GMM.4", "GMM_1024_1024_1024"},
        {"GRP.1", "GRP_56_64_128_3_2_1"},
        {"GRP.2", "GRP_56_64_64_1_1_0"},
        {"GRP.3", "GRP_14_256_256_3_1_1"},
        {"GRP.4", "GRP_7_512_512_3_1_1"},
        {"DIL.1", "DIL_224_3_64_7_2_3"},
        {"DIL.2", "DIL_56_64_64_1_1_0"},
        {"DIL.3", "DIL_14_256_256_3_1_1"},
        {"DIL.4", "DIL_7_512_512_3_1_1"},
        {"DEP.1", "DEP_112_32_3_1_1"},
        {"DEP.2", "DEP_112_64_3_2_1"},
        {"DEP.3", "DEP_14_512_3_2_1"},
        {"DEP.4", "DEP_7_1024_3_1_1"},
        {"T2D.1", "T2D_4_512_256_4_2_1"},
        {"T2D.2", "T2D_8_256_128_4_2_1"},
        {"T2D.3", "T2D_16_128_64_4_2_1"},
        {"T2D.4", "T2D_32_64_3_4_2_1"},
        {"CAP.1", "CAP_16_32_32_3_2_1"},
        {"CAP.2", "CAP_8_32_32_3_1_1"},
        {"CAP.3", "CAP_16_8_16_3_2_1"},
        {"CAP.4", "CAP_8_16_16_3_1_1"},
        {"NRM.1", "NRM_256_256"},
        {"NRM.2", "NRM_512_512"},
        {"NRM.3", "NRM_1024_1024"},
        {"NRM.4", "NRM_4096_4096"},
        {"ConvLayer.1", "ConvLayer_224_3_64_7_2_3"},
        {"ConvLayer.2", "ConvLayer_56_64_64_3_2_1"},
        {"ConvLayer.3", "ConvLayer_28_128_256_1_2_0"},
        {"ConvLayer.4", "ConvLayer_7_512_512_3_1_1"},
        {"TBG.1", "TBG_128_12_64"},
        {"TBG.2", "TBG_128_16_64"},
        {"TBG.3", "TBG_64_12_128"},
        {"TBG.4", "TBG_128_12_128"},
       }},
      {"gemm",
       "matrix products from 64 cubed to 2048 cubed, those of BERT, and long and flat ones",
       {
        {"GEMM.1", "gemm_64x64x64"},
        {"GEMM.2", "gemm_128x128x128"},
        {"GEMM.3", "gemm_256x256x256"},
        {"GEMM.4", "gemm_512x512x512"},
        {"GEMM.5", "gemm_1000x1000x1000"},
        {"GEMM.6", "gemm_1024x1024x1024"},
        {"GEMM.7", "gemm_2048x2048x2048"},
        {"GEMM.8", "gemm_128x768x768"},
        {"GEMM.9", "gemm_128x3072x768"},
        {"GEMM.10", "gemm_128x768x3072"},
        {"GEMM.11", "gemm_384x384x64"},
        {"GEMM.12", "gemm_4096x4096x64"},
        {"GEMM.13", "gemm_4096x64x4096"},
        {"GEMM.14", "gemm_16x4096x4096"},
        {"GEMM.15", "gemm_1x4096x4096"},
       }},
      {"resnet",
       "the convolutions of ResNet-50",
       {
        {"RES.1", "resnet_7x7s2_3-64_224"},
        {"RES.2", "resnet_3x3s1_64-64_56"},
        {"RES.3", "resnet_3x3s1_128-128_28"},
        {"RES.4", "resnet_3x3s1_256-256_14"},
        {"RES.5", "resnet_3x3s1_512-512_7"},
        {"RES.6", "resnet_3x3s2_128-128_56"},
        {"RES.7", "resnet_1x1s1_64-256_56"},
        {"RES.8", "resnet_1x1s1_256-64_56"},
        {"RES.9", "resnet_1x1s1_1024-256_14"},
        {"RES.10", "resnet_1x1s2_256-512_56"},
       }},
      {"bert",
       "what stands between the matrix products of BERT, and single passes over memory",
       {
        {"SMX.1", "softmax_1536x128"},
        {"SMX.2", "softmax_4608x384"},
        {"SMX.3", "softmax_128x768"},
        {"SMX.4", "softmax_4096x4096_cold"},
        {"LYN.1", "layernorm_128x768"},
        {"LYN.2", "layernorm_384x1024"},
        {"LYN.3", "layernorm_4096x4096_cold"},
        {"GEL.1", "gelu_128x3072"},
        {"GEL.2", "gelu_384x4096"},
        {"GEL.3", "gelu_4096x4096_cold"},
        {"SUM.1", "sum_rows_1024x1024"},
        {"SUM.2", "sum_cols_1024x1024"},
        {"TRN.1", "transpose_1024x1024"},
       }},
      {"depthwise",
       "depthwise convolutions of MobileNet",
       {
        {"DEP.1", "dw_3x3s1_32_112"},
        {"DEP.5", "dw_3x3s1_144_56"},
        {"DEP.6", "dw_3x3s2_96_112"},
       }},
      {"fusion",
       "a matrix product with its bias and gelu",
       {
        {"MBG.1", "gemm_bias_gelu_128x3072x768"},
        {"MBG.2", "gemm_bias_gelu_384x4096x1024"},
       }},
      {"int8",
       "products of u8 with i8, summed in i32",
       {
        {"U8S8.1", "u8s8_512"},
        {"U8S8.2", "u8s8_1024"},
       }},
  };
  return all;
}

Result<const Suite*> find_suite(const std::string& name) {
  std::vector<std::string> names;
  for (const Suite& s : suites()) {
    if (s.name == name) return &s;
    names.push_back(s.name);
  }
  const auto near = nearest_names(name, names);
  const std::string shown = name.size() > 40 ? name.substr(0, 40) + "..." : name;
  return refuse("unknown suite '", shown, "'; ", near.empty() ? "known are " + joined(names) : "near it: " + joined(near));
}

}  // namespace tessera::ops
