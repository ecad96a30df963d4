// A program as one line of text, for the command line:
//
//   parse_statement("C[m,n] += A[m,k] * B[k,n]", "m=512,n=512,k=512")
//
// OUT[axes] OP expression, OP one of = += *= max= min= (with a `!` behind it or not). Names in the expression that are not axes of OUT
// are reduced over, in order of first use; OP starts from its identity, OUT is never read. Indices are
// affine, `X[2*i+r, j]`; a read that may leave its input is guarded, `if_then_else(i > 0, X[i-1], 0.0)`.
// Every axis gets its extent from the list; the shapes of the inputs follow from the ranges of their
// indices. Expressions are those of ir/parse.h: arithmetic, comparisons, select, casts like i32(A[i]),
// exp, tanh and so on.
//
// And whole programs, in the notation of Tensor Comprehensions (Vasilache et al., "Tensor Comprehensions",
// 2018):
//
//   def mlp(float(M, K) A, float(K, N) B, float(N) bias) -> (C) {
//     C(m, n) +=! A(m, k) * B(k, n)          # from zero
//     C(m, n) = fmax(C(m, n) + bias(n), 0)   # reads the C above
//   }
//
// Sizes are numbers, or names that get their values from the list of extents. An index gets the largest
// range from 0 on in which every read that always happens stays inside, those first that stand alone in
// an index; `where i in 1:N-1` gives it. OP without `!` goes on from an earlier definition. A definition
// covers its tensor whole; c ? a : b takes only one of its sides' reads. Tensors that are not outputs are
// temporary. The program's inputs are in the order in which it first reads them. Of several definitions of a tensor the last has its name, the others are NAME.1, NAME.2 ...
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/dag.h"

namespace tessera::dsl {

struct StatementOptions {
  Type dtype = ir::f32;                 // of every input
  std::map<std::string, Type> dtypes;   // of single inputs
  std::vector<std::string> constants;   // inputs whose values are known before the first run
  std::string name = "expr";            // of the program
};

/// A refusal is one line, with the spot marked where there is one.
Result<ComputeDag> parse_statement(std::string_view text, std::string_view extents,
                                   const StatementOptions& options = {});

struct DefinitionOptions {
  std::vector<std::string> constants;  // inputs whose values are known before the first run
};

/// The program of one `def`. A refusal is one line, with the spot marked where there is one.
Result<ComputeDag> parse_definition(std::string_view text, std::string_view extents,
                                    const DefinitionOptions& options = {});

/// "m=512,n=7" as a map; numbers from 1 to 2^31-1.
Result<std::map<std::string, std::int64_t>> parse_extents(std::string_view text);

}  // namespace tessera::dsl
